import { expect, it } from 'vitest';
import { sha256Of } from '../../src/recording/digest.ts';
import {
  consistencyHolds,
  consistencyProof,
  emptyRoot,
  inclusionHolds,
  inclusionProof,
  leafHash,
  nodeHash,
  treeRoot,
  type ReadHash,
} from '../../src/recording/merkle.ts';
import { TileTree, tileOfHash, tilePath } from '../../src/recording/merkle-tiles.ts';

/** The reference tree of Certificate Transparency (google/certificate-transparency, merkle_tree_test.cc). */
const referenceLeaves = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
];
const referenceRoots = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];
const hex = (hashes: readonly Uint8Array[]): string[] => hashes.map((hash) => Buffer.from(hash).toString('hex'));
const leaf = (index: number): Buffer =>
  Buffer.from(referenceLeaves[index] ?? `0${index.toString(16).padStart(7, '0')}`, 'hex');

/** RFC 6962's own definition, recursive and slow. */
function definedRoot(leaves: Buffer[]): Buffer {
  if (leaves.length === 0) return sha256Of();
  if (leaves.length === 1) return leafHash(leaves[0]!);
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return nodeHash(definedRoot(leaves.slice(0, split)), definedRoot(leaves.slice(split)));
}

const reader =
  (leaves: Buffer[]): ReadHash =>
  (level, index) => {
    const part = leaves.slice(index * 2 ** level, (index + 1) * 2 ** level);
    expect(part.length, 'only hashes of complete subtrees are read').toBe(2 ** level);
    return definedRoot(part);
  };

const leavesOf = (size: number): Buffer[] => Array.from({ length: size }, (_, index) => leaf(index));

it('gives the published roots of the reference tree, at every size', async () => {
  for (const [size, root] of referenceRoots.entries()) {
    expect(hex([await treeRoot(size, reader(leavesOf(size)))])).toEqual([root]);
    const tree = new TileTree();
    for (const each of leavesOf(size)) tree.add(each);
    expect(tree.root().toString('hex')).toBe(root);
  }
});

it.each([
  [
    0,
    8,
    [
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
    ],
  ],
  [
    5,
    8,
    [
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ],
  ],
  [2, 3, ['fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125']],
  [
    1,
    5,
    [
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
    ],
  ],
])('gives the published inclusion proof of leaf %i in the tree of %i', async (index, size, published) => {
  expect(hex(await inclusionProof(index, size, reader(leavesOf(size))))).toEqual(published);
});

it.each([
  [
    1,
    8,
    [
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
    ],
  ],
  [
    6,
    8,
    [
      '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ],
  ],
  [
    3,
    8,
    [
      '0298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7',
      '07506a85fd9dd2f120eb694f86011e5bb4662e5c415a62917033d4a9624487e7',
      'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
    ],
  ],
])('gives the published consistency proof from %i to %i', async (before, size, published) => {
  expect(hex(await consistencyProof(before, size, reader(leavesOf(size))))).toEqual(published);
});

/** The tree of seven leaves, a to j and k, l its nodes, with which RFC 6962, section 2.1.3, explains the proofs. */
function sevenLeaves() {
  const leaves = leavesOf(7);
  const [a, b, c, d, e, f, j] = leaves.map((each) => leafHash(each)) as [
    Buffer,
    Buffer,
    Buffer,
    Buffer,
    Buffer,
    Buffer,
    Buffer,
  ];
  const [g, h, i] = [nodeHash(a, b), nodeHash(c, d), nodeHash(e, f)];
  const [k, l] = [nodeHash(g, h), nodeHash(i, j)];
  return { read: reader(leaves), root: nodeHash(k, l), b, c, d, f, g, h, i, j, k, l };
}

it('proves what RFC 6962 proves in its example, by the nodes that it names', async () => {
  const { read, root, ...nodes } = sevenLeaves();
  expect(hex([await treeRoot(7, read)])).toEqual(hex([root]));
  type Name = keyof typeof nodes;
  const named = (names: string) => hex([...names].map((name) => nodes[name as Name]));
  for (const [index, path] of [
    [0, 'bhl'],
    [3, 'cgl'],
    [4, 'fjk'],
    [6, 'ik'],
  ] as const)
    expect(hex(await inclusionProof(index, 7, read))).toEqual(named(path));
  for (const [before, path] of [
    [3, 'cdgl'],
    [4, 'l'],
    [6, 'ijk'],
  ] as const)
    expect(hex(await consistencyProof(before, 7, read))).toEqual(named(path));
});

it('proves every leaf at every size, and takes no other leaf, place, size or proof', async () => {
  for (let size = 1; size <= 20; size++) {
    const read = reader(leavesOf(size));
    const root = await treeRoot(size, read);
    for (let index = 0; index < size; index++) {
      const claim = { leaf: leafHash(leaf(index)), index, size, root, proof: await inclusionProof(index, size, read) };
      expect(inclusionHolds(claim)).toBe(true);
      expect(inclusionHolds({ ...claim, leaf: leafHash(Buffer.from('other')) })).toBe(false);
      expect(inclusionHolds({ ...claim, index: index + 1 })).toBe(false);
      expect(inclusionHolds({ ...claim, root: emptyRoot })).toBe(false);
      expect(inclusionHolds({ ...claim, proof: [...claim.proof, root] })).toBe(false);
      if (claim.proof.length > 0) expect(inclusionHolds({ ...claim, proof: claim.proof.slice(1) })).toBe(false);
    }
  }
});

it('proves that each tree begins with each smaller one, and takes no other', async () => {
  for (let size = 1; size <= 20; size++) {
    const root = await treeRoot(size, reader(leavesOf(size)));
    for (let before = 0; before <= size; before++) {
      const rootBefore = await treeRoot(before, reader(leavesOf(before)));
      const claim = {
        before,
        size,
        rootBefore,
        root,
        proof: await consistencyProof(before, size, reader(leavesOf(size))),
      };
      expect(consistencyHolds(claim)).toBe(true);
      expect(consistencyHolds({ ...claim, proof: [...claim.proof, root] })).toBe(false);
      expect(consistencyHolds({ ...claim, rootBefore: sha256Of(Buffer.from('another history')) })).toBe(false);
      if (before < size && before > 0) expect(consistencyHolds({ ...claim, root: emptyRoot })).toBe(false);
    }
  }
});

it('has in its tiles every hash that roots and proofs need, at sizes around full tiles', async () => {
  for (const size of [1, 255, 256, 257, 513, 65_535, 65_537]) {
    const tree = new TileTree();
    const tiles = new Map<string, Buffer>();
    for (let index = 0; index < size; index++)
      for (const { tile, bytes } of tree.add(leaf(index))) tiles.set(tilePath({ ...tile, width: 256 }), bytes);
    for (const { tile, bytes } of tree.partial()) tiles.set(tilePath({ ...tile, width: 256 }), bytes);
    const read: ReadHash = (level, index) => {
      const { tile, hash } = tileOfHash(level, index);
      return hash(tiles.get(tilePath({ ...tile, width: 256 }))!);
    };
    const root = await treeRoot(size, read);
    expect(tree.root().equals(root)).toBe(true);
    const index = Math.floor(size / 3);
    const proof = await inclusionProof(index, size, read);
    expect(inclusionHolds({ leaf: leafHash(leaf(index)), index, size, root, proof })).toBe(true);
  }
});
