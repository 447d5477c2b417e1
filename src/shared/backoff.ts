/** Exponential backoff with jitter: 0.5 s, 1 s, 2 s … up to a bound, each drawn between half and whole. */
export function backoffMillis(attempt: number, wholeMillisMax: number, random: () => number = Math.random): number {
  const whole = Math.min(wholeMillisMax, 500 * 2 ** Math.min(attempt, 10));
  return whole / 2 + (whole / 2) * random();
}
