/** A countdown as a person reads it: `ends in 2 h 5 min`, `ends in 29 min`, `ends in 45 s`. */
export function timeLeft(millis: number): string {
  const seconds = Math.max(0, Math.ceil(millis / 1000));
  if (seconds < 120) return `ends in ${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return `ends in ${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours >= 48) return `ends in ${Math.floor(hours / 24)} days`;
  return `ends in ${hours} h ${minutes % 60} min`;
}
