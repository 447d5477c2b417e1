import { createHash } from 'node:crypto';

/** Hashed before the salt, so that a commitment cannot pass for another hash of the record. */
const domain = Buffer.from('hoop withheld v1\n');
const saltBytes = 16;

/**
 * What stands in the record where a secret stood: SHA-256(domain ‖ 16 random bytes ‖ secret). The random bytes are kept nowhere, so that
 * nobody can try words against it, and the same secret looks different each time (docs/decisions/0011-redaction.md).
 */
export function withheld(secret: Uint8Array, randomBytes: (size: number) => Uint8Array): string {
  const hash = createHash('sha256').update(domain).update(randomBytes(saltBytes)).update(secret);
  return `[withheld sha256:${hash.digest('hex')}]`;
}
