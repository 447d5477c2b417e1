import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ResultDigest } from '../../src/protocol/result-digest.ts';

const sha256 = (...pieces: Uint8Array[]): string => createHash('sha256').update(Buffer.concat(pieces)).digest('hex');
const hex = (digest: ResultDigest): string => Buffer.from(digest.end()).toString('hex');

describe('the digest of a result', () => {
  it('is SHA-256, of nothing too', () => {
    expect(hex(new ResultDigest())).toBe(sha256());
    const digest = new ResultDigest();
    digest.add(Buffer.from('abc'));
    expect(hex(digest)).toBe(sha256(Buffer.from('abc')));
  });

  it('is of the bytes as they were when they were added, from their place in the memory', () => {
    const digest = new ResultDigest();
    const memory = Buffer.from('0123456789');
    digest.add(memory, 2, 5);
    memory.fill(0x78);
    digest.add(memory, 0, 1);
    expect(hex(digest)).toBe(sha256(Buffer.from('234x')));
  });

  it('does not depend on the sizes of the pieces, nor on results of others in between', () => {
    const size = fc.oneof(fc.nat(200), fc.constantFrom(127, 128, 129, 2047, 2048, 2049, 5000));
    const pieces = fc.array(fc.record({ size, of: fc.nat(3), byte: fc.nat(255) }), { maxLength: 30 });
    fc.assert(
      fc.property(pieces, (added) => {
        const digests = Array.from({ length: 4 }, () => new ResultDigest());
        const all: Uint8Array[][] = digests.map(() => []);
        for (const { size, of, byte } of added) {
          const bytes = new Uint8Array(size + 2).fill(byte);
          digests[of]!.add(bytes, 1, size + 1);
          all[of]!.push(bytes.subarray(1, size + 1));
        }
        expect(digests.map(hex)).toEqual(all.map((bytes) => sha256(...bytes)));
      }),
    );
  });
});
