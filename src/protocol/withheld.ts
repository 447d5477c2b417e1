import { createHash } from 'node:crypto';

/** Hashed before the salt, so that a commitment cannot pass for another hash of the record. */
const domain = Buffer.from('hoop withheld v1\n');
const saltBytes = 16;

export type Commit = (secret: Uint8Array) => string;

/**
 * What stands in the record where a secret stood: SHA-256(domain ‖ 16 random bytes ‖ secret). The random bytes are kept nowhere, so that
 * nobody can try words against it, and the same secret looks different each time (docs/decisions/0011-redaction.md).
 */
export function withholding(randomBytes: (size: number) => Uint8Array): Commit {
  let pool = new Uint8Array();
  return (secret) => {
    if (pool.length === 0) pool = Uint8Array.from(randomBytes(16 * saltBytes));
    const hash = createHash('sha256').update(domain).update(pool.subarray(0, saltBytes)).update(secret);
    pool.fill(0, 0, saltBytes);
    pool = pool.subarray(saltBytes);
    return `[withheld sha256:${hash.digest('hex')}]`;
  };
}
