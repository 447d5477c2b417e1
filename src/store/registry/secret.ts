import { createHash, randomBytes } from 'node:crypto';

/** 256 random bits, so that a plain hash at rest is enough. */
export const newSecret = (): string => randomBytes(32).toString('base64url');

/** What the registry keeps of a secret that somebody else holds. */
export const hashSecret = (secret: string): string => createHash('sha256').update(secret).digest('base64url');

/** Short ids that people type: 12 characters of a-z and 2-7 (60 bits). */
export function newId(): string {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';
  return [...randomBytes(12)].map((byte) => alphabet[byte % 32]).join('');
}
