import { digestBytes, sha256, sha256Of } from './digest.ts';

/**
 * The Merkle tree of RFC 6962, section 2.1: pure functions over a store of one method. `read(level, index)` gives the hash of the
 * complete subtree over the leaves [index · 2^level, (index + 1) · 2^level); only those that the asked-for size has are read.
 */
export type ReadHash = (level: number, index: number) => Uint8Array | Promise<Uint8Array>;

const leafPrefix = Buffer.from([0]);
/** 0x01 and two hashes; filled anew each time, as joining them costs more than hashing them. */
const nodeInput = Buffer.alloc(1 + 2 * digestBytes, 1);

export const leafHash = (leaf: Uint8Array): Buffer => sha256(Buffer.concat([leafPrefix, leaf]));
export const emptyRoot: Buffer = sha256Of();

export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  nodeInput.set(left, 1);
  nodeInput.set(right, 1 + digestBytes);
  return sha256(nodeInput);
}

/** MTH(D[n]). */
export async function treeRoot(size: number, read: ReadHash): Promise<Uint8Array> {
  return size === 0 ? emptyRoot : rangeHash(0, size, read);
}

/** PATH(m, D[n]), leaf's side first. */
export async function inclusionProof(index: number, size: number, read: ReadHash): Promise<Uint8Array[]> {
  if (index < 0 || index >= size) throw new RangeError(`there is no leaf ${index} in a tree of ${size}`);
  const proof: Uint8Array[] = [];
  let [from, to] = [0, size];
  while (to - from > 1) {
    const middle = from + splitOf(to - from);
    if (index < middle) {
      proof.push(await rangeHash(middle, to, read));
      to = middle;
    } else {
      proof.push(await rangeHash(from, middle, read));
      from = middle;
    }
  }
  return proof.toReversed();
}

/** PROOF(m, D[n]): that the tree of `size` leaves begins with the tree of `before`. */
export async function consistencyProof(before: number, size: number, read: ReadHash): Promise<Uint8Array[]> {
  if (before < 0 || before > size) throw new RangeError(`a tree of ${size} has no earlier size ${before}`);
  if (before === 0 || before === size) return [];
  const proof: Uint8Array[] = [];
  let [from, to] = [0, size];
  while (to !== before) {
    const middle = from + splitOf(to - from);
    if (before <= middle) {
      proof.push(await rangeHash(middle, to, read));
      to = middle;
    } else {
      proof.push(await rangeHash(from, middle, read));
      from = middle;
    }
  }
  if (from > 0) proof.push(await rangeHash(from, to, read)); // SUBPROOF with b false: the old root is not known from it
  return proof.toReversed();
}

async function rangeHash(from: number, to: number, read: ReadHash): Promise<Uint8Array> {
  const count = to - from;
  const level = Math.log2(count);
  if (Number.isInteger(level) && from % count === 0) return read(level, from / count);
  const middle = from + splitOf(count);
  return nodeHash(await rangeHash(from, middle, read), await rangeHash(middle, to, read));
}

/** The largest power of two below `count` (2 or more). */
function splitOf(count: number): number {
  let split = 1;
  while (split * 2 < count) split *= 2;
  return split;
}

/** RFC 9162, section 2.1.3.2. */
export function inclusionHolds(claim: {
  leaf: Uint8Array;
  index: number;
  size: number;
  proof: readonly Uint8Array[];
  root: Uint8Array;
}): boolean {
  const { index, size, proof, root } = claim;
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) return false;
  let [node, last, hash] = [index, size - 1, claim.leaf];
  for (const other of proof) {
    if (last === 0) return false;
    if (isOdd(node) || node === last) {
      hash = nodeHash(other, hash);
      while (!isOdd(node) && node !== 0) [node, last] = [half(node), half(last)];
    } else hash = nodeHash(hash, other);
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && Buffer.compare(hash, root) === 0;
}

/** RFC 9162, section 2.1.4.2. Every tree begins with the empty one. */
export function consistencyHolds(claim: {
  before: number;
  size: number;
  proof: readonly Uint8Array[];
  rootBefore: Uint8Array;
  root: Uint8Array;
}): boolean {
  const { before, size, proof, rootBefore, root } = claim;
  if (before > size) return false;
  if (before === size) return proof.length === 0 && Buffer.compare(rootBefore, root) === 0;
  if (before === 0) return proof.length === 0 && emptyRoot.equals(rootBefore);
  const path = Number.isInteger(Math.log2(before)) ? [rootBefore, ...proof] : [...proof];
  const first = path.shift();
  if (!first) return false;
  let [node, last] = [before - 1, size - 1];
  while (isOdd(node)) [node, last] = [half(node), half(last)];
  let [old, now] = [first, first];
  for (const other of path) {
    if (last === 0) return false;
    if (isOdd(node) || node === last) {
      old = nodeHash(other, old);
      now = nodeHash(other, now);
      while (!isOdd(node) && node !== 0) [node, last] = [half(node), half(last)];
    } else now = nodeHash(now, other);
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && Buffer.compare(old, rootBefore) === 0 && Buffer.compare(now, root) === 0;
}

// Sizes go to 2^53, beyond the operators on bits.
const isOdd = (value: number): boolean => value % 2 === 1;
const half = (value: number): number => Math.floor(value / 2);
