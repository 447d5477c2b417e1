import { UserError } from '../shared/errors.ts';
import { ttlSecondsMax } from '../shared/api.ts';
import { spanMillis } from '../shared/span.ts';

const day = /^\d{4}-\d{2}-\d{2}$/;
const rfc3339 = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})?)?$/;

/** `90s`, `30min`, `12h`, `7d`, `2w` in milliseconds. */
export function parseSpan(text: string, flag: string): number {
  const millis = spanMillis(text);
  if (millis === undefined) throw notUnderstood(text, flag, 'give a number with s, min, h, d or w, such as 12h or 30d');
  return millis;
}

/** For how long a session is asked for: a second at least, a year at most. */
export const ttlSecondsOf = (millis: number): number => Math.min(ttlSecondsMax, Math.max(1, Math.round(millis / 1000)));

/** `2h` (that long ago), `2026-11-22` (its first moment here), `2026-11-22T10:00`, or RFC 3339; as RFC 3339 in UTC. */
export function parseWhen(text: string, flag: string, now: number): string {
  const trimmed = text.trim();
  const ago = spanMillis(trimmed);
  if (ago !== undefined) return new Date(now - ago).toISOString();
  // Without a zone the reader's own is meant; JavaScript takes a bare date for UTC.
  const time = new Date(day.test(trimmed) ? `${trimmed}T00:00` : trimmed.replace(' ', 'T'));
  if (!rfc3339.test(trimmed) || Number.isNaN(time.getTime()))
    throw notUnderstood(text, flag, 'give 2h or 3d (that long ago), 2026-11-22, or 2026-11-22T10:00');
  return time.toISOString();
}

const notUnderstood = (text: string, flag: string, next: string): UserError =>
  new UserError('HOOP_USAGE', `${flag} ${JSON.stringify(text.slice(0, 100))} is not understood`, { next });
