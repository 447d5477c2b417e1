import { createPrivateKey, type JsonWebKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { checkpointText } from '../../src/recording/checkpoint.ts';
import { encodeLeaf } from '../../src/recording/leaf.ts';
import { leafHash, nodeHash } from '../../src/recording/merkle.ts';
import {
  formatNote,
  formatVerifierKey,
  keyTypes,
  publicKeyOf,
  signNote,
  verifierKey,
} from '../../src/recording/note.ts';
import { followRollovers, isSignedInTime } from '../../src/recording/rollover.ts';
import { formatTlogProof } from '../../src/recording/tlog-proof.ts';

const docs = readFileSync(new URL('../../docs/recording-format.md', import.meta.url), 'utf8');
const name = 'hoop-gateway/0123456789abcdef';

/** The key whose seed is 32 times this byte. */
function keyOf(byte: number) {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, byte)]);
  const jwk: JsonWebKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({ format: 'jwk' });
  return { jwk, key: verifierKey(name, keyTypes.ed25519, publicKeyOf(jwk)) };
}

const keys = [1, 2, 3, 4].map(keyOf);
const leaves = keys.map(({ key }, number) =>
  encodeLeaf({
    kind: 'key',
    timeMicros: 1_790_000_000_123_456 + number,
    subject: Buffer.alloc(16, number),
    number,
    digest: key.publicKey,
  }),
);

/** A log of nothing but keys: the checkpoint over the first `size` leaves, signed by one of them. */
function signedBy(by: number, size: number) {
  const hashes = leaves.map((leaf) => leafHash(leaf)) as [Buffer, Buffer, Buffer, Buffer];
  const [a, b, c, d] = hashes;
  const roots = [a, a, nodeHash(a, b), nodeHash(nodeHash(a, b), c), nodeHash(nodeHash(a, b), nodeHash(c, d))];
  const root = roots[size]!;
  const text = checkpointText({ origin: name, size, root });
  const paths = [[], [], [a], [nodeHash(a, b)], [c, nodeHash(a, b)]];
  return {
    checkpoint: { origin: name, size, root },
    note: { text, signatures: [signNote(text, name, keys[by]!.jwk)] },
    path: paths[size]!,
  };
}

/** That the key `by` was followed by the next, under a checkpoint that has no leaf behind that. */
function rollover(by: number, signer = by): string {
  const { note, path } = signedBy(signer, by + 2);
  return formatTlogProof({ extra: leaves[by + 1]!, index: by + 1, hashes: path, checkpoint: formatNote(note) });
}

const followed = (trusted: number, proofs: string[]) =>
  followRollovers(keys[trusted]!.key, proofs).keys.map(({ key, retiredAt }) => [formatVerifierKey(key), retiredAt]);
const named = (key: number) => formatVerifierKey(keys[key]!.key);

it('is what docs/recording-format.md quotes, to the byte', () => {
  expect(docs).toContain(rollover(0));
  for (const key of [0, 1]) expect(docs).toContain(named(key));
  expect(followed(0, [rollover(0)])).toEqual([
    [named(0), 2],
    [named(1), undefined],
  ]);
});

it('leads from the trusted key on, in whatever order the proofs come, and never back', () => {
  const proofs = [rollover(2), rollover(0), rollover(1)];
  const all = [
    [named(0), 2],
    [named(1), 3],
    [named(2), 4],
    [named(3), undefined],
  ];
  for (const trusted of [0, 1, 2, 3]) expect(followed(trusted, proofs)).toEqual(all.slice(trusted));
  expect(followed(0, [rollover(1), rollover(2)])).toEqual([[named(0), undefined]]);
});

it('takes nobody’s word but the old key’s', () => {
  for (const signer of [1, 2, 3]) expect(followed(0, [rollover(0, signer)])).toEqual([[named(0), undefined]]);
  const head = encodeLeaf({
    kind: 'head',
    timeMicros: 0,
    subject: Buffer.alloc(16),
    number: 0,
    digest: keys[1]!.key.publicKey,
  });
  expect(followed(0, [rollover(0).replace(leaves[1]!.toString('base64'), head.toString('base64'))])).toHaveLength(1);
});

it('a key signs nothing behind its last checkpoint, and the next one from there on', () => {
  const ring = followRollovers(keys[0]!.key, [rollover(0)]).keys;
  expect(isSignedInTime(signedBy(0, 1), ring)).toBe(true);
  expect(isSignedInTime(signedBy(0, 2), ring)).toBe(true);
  expect(isSignedInTime(signedBy(0, 3), ring)).toBe(false);
  expect(isSignedInTime(signedBy(1, 2), ring)).toBe(true);
  expect(isSignedInTime(signedBy(1, 3), ring)).toBe(true);
  expect(isSignedInTime(signedBy(2, 3), ring)).toBe(false);
});
