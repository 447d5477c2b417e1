const unitMillis = { s: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 } as const;
const span = /^(\d{1,6})\s*(s|m|min|h|d|w)$/;

/** `90s`, `30min`, `12h`, `7d`, `2w` in milliseconds; undefined for anything else. */
export function spanMillis(text: string): number | undefined {
  const found = span.exec(text.trim());
  return found ? Number(found[1]) * unitMillis[found[2] as keyof typeof unitMillis] : undefined;
}

/** In the largest unit that leaves no rest: `90 s`, `30 min`, `8 h`. */
export function spanText(millis: number): string {
  for (const unit of ['d', 'h', 'min'] as const)
    if (millis >= unitMillis[unit] && millis % unitMillis[unit] === 0) return `${millis / unitMillis[unit]} ${unit}`;
  return `${millis / 1000} s`;
}
