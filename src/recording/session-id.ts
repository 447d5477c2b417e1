/** A session's id: 16 random bytes, shown as 26 characters of lower-case Crockford base32 (most significant bit first, two zero bits at the end). */
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
export const sessionIdBytes = 16;
export const sessionIdLength = 26;

export function formatSessionId(id: Uint8Array): string {
  let text = '';
  let held = 0;
  let bits = 0;
  for (const byte of id) {
    held = (held << 8) | byte;
    bits += 8;
    for (; bits >= 5; bits -= 5) text += alphabet[(held >>> (bits - 5)) & 31];
    held &= (1 << bits) - 1;
  }
  return text + alphabet[(held << (5 - bits)) & 31];
}

/** The 16 bytes of a whole id; undefined for anything else. */
export function parseSessionId(text: string): Uint8Array | undefined {
  const normal = normalSessionId(text);
  if (normal.length !== sessionIdLength) return undefined;
  const id = new Uint8Array(sessionIdBytes);
  let held = 0;
  let bits = 0;
  let at = 0;
  for (const character of normal) {
    const value = alphabet.indexOf(character);
    if (value < 0) return undefined;
    held = (held << 5) | value;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    id[at++] = held >>> bits;
    held &= (1 << bits) - 1;
  }
  return held === 0 ? id : undefined;
}

/** What a person typed, as it stands in the alphabet: case is ignored, `o` reads as 0, `i` and `l` as 1. */
export const normalSessionId = (text: string): string => text.toLowerCase().replace(/o/g, '0').replace(/[il]/g, '1');

/** Can this be the beginning of an id? */
export const isSessionIdPrefix = (text: string): boolean => /^[0-9a-hjkmnp-tv-z]{1,26}$/.test(text);
