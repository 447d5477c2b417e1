import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { decodeLeaf, encodeLeaf, leafBytes, leafKinds, type Leaf } from '../../src/recording/leaf.ts';
import { leafHash } from '../../src/recording/merkle.ts';

const docs = readFileSync(new URL('../../docs/recording-format.md', import.meta.url), 'utf8');
const known: Leaf = {
  kind: 'head',
  timeMicros: 1_790_000_000_123_456,
  subject: Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex'),
  number: 5,
  digest: Buffer.alloc(32, 0xd1),
};

it('is what docs/recording-format.md says: kinds, and the leaf that it quotes', () => {
  leafKinds.forEach((kind, index) => expect(docs).toMatch(new RegExp(`\\| ${index + 1} +\\| ${kind} +\\|.*\\|.*\\|`)));
  const bytes = encodeLeaf(known);
  for (const part of [bytes, leafHash(bytes)]) expect(docs.replace(/\s+/g, '')).toContain(part.toString('hex'));
});

it('reads back every kind', () => {
  for (const kind of leafKinds) expect(decodeLeaf(encodeLeaf({ ...known, kind }))).toEqual({ ...known, kind });
});

it('refuses other lengths, versions, kinds and flags', () => {
  const bytes = encodeLeaf(known);
  expect(() => decodeLeaf(bytes.subarray(0, leafBytes - 1))).toThrow(RangeError);
  expect(() => decodeLeaf(Buffer.concat([bytes, bytes]))).toThrow(RangeError);
  for (const at of [0, 1, 2, 3, 4, 7]) {
    const changed = Buffer.from(bytes);
    changed[at] = 0xff;
    expect(() => decodeLeaf(changed)).toThrow(RangeError);
  }
});
