import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { formatSessionId, isSessionIdPrefix, normalSessionId, parseSessionId } from '../../src/recording/session-id.ts';

it('shows 16 bytes as 26 characters of Crockford base32 and reads them back', () => {
  expect(formatSessionId(Buffer.alloc(16))).toBe('0'.repeat(26));
  expect(formatSessionId(Buffer.alloc(16, 0xff))).toBe(`${'z'.repeat(25)}w`);
  for (let round = 0; round < 200; round++) {
    const id = randomBytes(16);
    const text = formatSessionId(id);
    expect(text).toMatch(/^[0-9a-hjkmnp-tv-z]{26}$/);
    expect(Buffer.from(parseSessionId(text)!)).toEqual(id);
  }
});

it('reads what a person may type, and nothing else', () => {
  expect(normalSessionId('OIL7')).toBe('0117');
  expect(parseSessionId('0'.repeat(25))).toBeUndefined();
  expect(parseSessionId(`${'0'.repeat(25)}1`)).toBeUndefined(); // bits that stand for nothing
  expect(parseSessionId('u'.repeat(26))).toBeUndefined();
  expect(isSessionIdPrefix('7kq')).toBe(true);
  expect(isSessionIdPrefix("7'--")).toBe(false);
  expect(isSessionIdPrefix('')).toBe(false);
});
