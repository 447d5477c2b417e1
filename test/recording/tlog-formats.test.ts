import { createPrivateKey } from 'node:crypto';
import { expect, it } from 'vitest';
import { sha256Of } from '../../src/recording/digest.ts';
import { checkpointText, parseCheckpoint } from '../../src/recording/checkpoint.ts';
import { leafHash } from '../../src/recording/merkle.ts';
import { decodeBundle, encodeBundle, parseTilePath, tilePath } from '../../src/recording/merkle-tiles.ts';
import {
  cosign,
  cosignedAt,
  formatNote,
  formatVerifierKey,
  keyTypes,
  noteHolds,
  parseNote,
  parseVerifierKey,
  publicKeyOf,
  signNote,
  verifierKey,
} from '../../src/recording/note.ts';
import { formatTlogProof, parseTlogProof } from '../../src/recording/tlog-proof.ts';

/** The example in the documentation of golang.org/x/mod/sumdb/note. */
const peterKey = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
const peterSeed = Buffer.from('AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz', 'base64').subarray(1);
const peterText =
  "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const peterNote = `${peterText}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n`;
const peterJwk = createPrivateKey({
  key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), peterSeed]),
  format: 'der',
  type: 'pkcs8',
}).export({ format: 'jwk' });

/** A tree head that sum.golang.org published. */
const sumdbKey = 'sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8';
const sumdbHead = `go.sum database tree
63096908
8lHrQPRYe4KT4WQ9/Qk8/taKnD6IRHbFgfN7vQE2Y54=

— sum.golang.org Az3gri/oVBN1jAhNZ/iS+W31psFAWRT20/GyrhpU6taFwulQGetBkH5S7wpGXdS935jiIGiUUAXBVHzT/P6fYhqAmAk=
`;

it('signs Go’s example note to the byte, and takes its signature', () => {
  const signature = signNote(peterText, 'PeterNeumann', peterJwk);
  expect(formatNote({ text: peterText, signatures: [signature] })).toBe(peterNote);
  const key = parseVerifierKey(peterKey)!;
  expect(formatVerifierKey(key)).toBe(peterKey);
  expect(noteHolds(parseNote(peterNote), key)).toBe(true);
  expect(noteHolds(parseNote(peterNote.replace('answer', 'Answer')), key)).toBe(false);
});

it('takes a tree head of Go’s checksum database, and no changed one', () => {
  const key = parseVerifierKey(sumdbKey)!;
  const { checkpoint, note } = parseCheckpoint(sumdbHead);
  expect(checkpoint).toMatchObject({ origin: 'go.sum database tree', size: 63_096_908 });
  expect(noteHolds(note, key)).toBe(true);
  expect(noteHolds(parseCheckpoint(sumdbHead.replace('63096908', '63096909')).note, key)).toBe(false);
  expect(checkpointText(checkpoint)).toBe(note.text);
});

it('reads the example key and note of the signed-note document, and refuses keys that are not what they say', () => {
  const example = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k';
  const key = parseVerifierKey(example)!;
  expect(key).toMatchObject({ name: 'example.com/foo', type: 1 });
  const note =
    'This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n';
  expect(formatNote(parseNote(note))).toBe(note);
  expect(noteHolds(parseNote(note), key)).toBe(true);
  expect(noteHolds(parseNote(note.replace('an example', 'no example')), key)).toBe(false);
  for (const wrong of ['530d903b', '530D903A', '530d903'])
    expect(parseVerifierKey(example.replace('530d903a', wrong))).toBeUndefined();
  expect(parseVerifierKey(example.slice(0, -4))).toBeUndefined();
  expect(parseVerifierKey('')).toBeUndefined();
});

it('writes a tree head as golang.org/x/mod/sumdb/tlog does, root and all', () => {
  const head = { origin: 'go.sum database tree', size: 123_456_789_012, root: leafHash(Buffer.from('hello world')) };
  expect(checkpointText(head)).toBe(
    'go.sum database tree\n123456789012\nTszzRgjTG6xce+z2AG31kAXYKBgQVtCSCE40HmuwBb0=\n',
  );
});

it('reads the layout of the cosignature example in the tlog-cosignature document', () => {
  const line =
    '— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==';
  const { signatures } = parseNote(
    `example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n${line}\n`,
  );
  expect(signatures[0]!.keyId.toString('hex')).toBe('8d66cf3f');
  expect(signatures[0]!.bytes.length).toBe(72);
  expect(Number(signatures[0]!.bytes.readBigUInt64BE(0))).toBe(1_679_315_147);
});

it('takes a witness’s cosignature with its time, not the log’s own signature in its place', () => {
  const { text } = parseNote(sumdbHead);
  const witness = verifierKey('witness.example/w1', keyTypes.cosignature, publicKeyOf(peterJwk));
  const signature = cosign(text, 1_679_315_147, witness.name, peterJwk);
  expect(cosignedAt({ text, signatures: [signature] }, witness)).toBe(1_679_315_147);
  expect(cosignedAt({ text: text.replace('6', '7'), signatures: [signature] }, witness)).toBeUndefined();
  const plain = { ...signNote(text, witness.name, peterJwk), keyId: witness.id };
  expect(cosignedAt({ text, signatures: [plain] }, witness)).toBeUndefined();
  expect(noteHolds({ text, signatures: [signature] }, witness)).toBe(false);
});

it.each([
  [{ level: 0, index: 0, width: 256 }, 'tile/0/000'],
  [{ level: 4, index: 1_234_067, width: 256 }, 'tile/4/x001/x234/067'],
  [{ level: 0, index: 273, width: 17 }, 'tile/0/273.p/17'],
  [{ level: 'entries' as const, index: 1000, width: 1 }, 'tile/entries/x001/000.p/1'],
])('names a tile as the tlog-tiles document does: %j', (tile, path) => {
  expect(tilePath(tile)).toBe(path);
  expect(parseTilePath(path)).toEqual(tile);
});

it.each([
  'tile/0/000.p/256',
  'tile/0/000.p/0',
  'tile/0/0',
  'tile/0/x000/001',
  'tile/../000',
  'tile/00/000',
  'tile/0/000.p/01',
])('takes no other name: %s', (path) => expect(parseTilePath(path)).toBeUndefined());

it('reads back bundles of entries, and refuses one that is cut', () => {
  const leaves = [Buffer.from('one'), Buffer.alloc(0), Buffer.alloc(300, 7)];
  const bundle = encodeBundle(leaves);
  expect(decodeBundle(bundle)).toEqual(leaves);
  for (const end of [1, 3, 8, bundle.length - 1])
    expect(() => decodeBundle(bundle.subarray(0, end))).toThrow(RangeError);
});

it.each([
  [{ index: 5, of: ['hash1', 'hash2'], extra: '' }, 'index 5'],
  [{ index: 10, of: ['hash1'], extra: 'extra information' }, 'extra ZXh0cmEgaW5mb3JtYXRpb24=\nindex 10'],
  [{ index: 0, of: [], extra: '' }, 'index 0'],
])('writes tlog-proofs as other implementations have them in their tests: %j', ({ index, of, extra }, head) => {
  const known: Record<string, string> = {
    hash1: 'rzFuy5Go7nrpkhBwKy1HWPMM3eO/YePY54fXRoH5Cm4=',
    hash2: '5784L25ZFbP4hhm4ZiI+vx1RxMUyHMzeLp/3AKMlkIY=',
  };
  const hashes = of.map((text) => sha256Of(Buffer.from(text)));
  const checkpoint = 'a checkpoint\n';
  const lines = [head, ...of.map((text) => known[text]!)].join('\n');
  expect(formatTlogProof({ extra: Buffer.from(extra), index, hashes, checkpoint })).toBe(
    `c2sp.org/tlog-proof@v1\n${lines}\n\n${checkpoint}`,
  );
});

it('writes and reads tlog-proofs as the document shows them', () => {
  const hashes = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
  const text = formatTlogProof({ extra: Buffer.from('extra information'), index: 10, hashes, checkpoint: sumdbHead });
  expect(text).toBe(
    `c2sp.org/tlog-proof@v1\nextra ZXh0cmEgaW5mb3JtYXRpb24=\nindex 10\n${hashes.map((hash) => hash.toString('base64')).join('\n')}\n\n${sumdbHead}`,
  );
  expect(parseTlogProof(text)).toEqual({
    extra: Buffer.from('extra information'),
    index: 10,
    hashes,
    checkpoint: sumdbHead,
  });
  const bare = { extra: Buffer.alloc(0), index: 0, hashes: [], checkpoint: sumdbHead };
  expect(parseTlogProof(formatTlogProof(bare))).toEqual(bare);
  for (const wrong of [
    text.replace('@v1', '@v2'),
    text.replace('index 10', 'index 010'),
    text.replace('AQEB', 'A?EB'),
    '',
  ])
    expect(() => parseTlogProof(wrong)).toThrow(RangeError);
});
