import { parseCheckpoint } from './checkpoint.ts';
import { decodeLeaf, encodeLeaf, type Leaf } from './leaf.ts';
import { inclusionHolds, leafHash } from './merkle.ts';
import { isSignedInTime, type LogKey, type SignedCheckpoint } from './rollover.ts';
import { parseTlogProof } from './tlog-proof.ts';

/** What whoever had a session holds of it: a leaf about it, proven under a checkpoint that the log's key has signed. */
export interface Receipt {
  leaf: Leaf;
  index: number;
  signed: SignedCheckpoint;
}

/** Undefined for what proves nothing: another log's, a signature that does not hold, a leaf that is not under its checkpoint. */
export function readReceipt(text: string, keys: readonly LogKey[]): Receipt | undefined {
  try {
    const { extra, index, hashes, checkpoint: note } = parseTlogProof(text);
    const signed = parseCheckpoint(note);
    const { size, root } = signed.checkpoint;
    const isProven = inclusionHolds({ leaf: leafHash(extra), index, size, root, proof: hashes });
    if (!isProven || !isSignedInTime(signed, keys)) return undefined;
    return { leaf: decodeLeaf(extra), index, signed };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

export const readReceipts = (texts: readonly string[], keys: readonly LogKey[]): Receipt[] =>
  texts.map((text) => readReceipt(text, keys)).filter((receipt) => receipt !== undefined);

/** The checkpoint over the most leaves that a receipt has. Of many receipts, few are checked. */
export function newestCheckpoint(texts: readonly string[], keys: readonly LogKey[]): SignedCheckpoint | undefined {
  const claimed = texts.map((text) => ({ text, size: claimedSize(text) }));
  for (const { text } of claimed.toSorted((a, b) => b.size - a.size)) {
    const receipt = readReceipt(text, keys);
    if (receipt) return receipt.signed;
  }
  return undefined;
}

function claimedSize(text: string): number {
  try {
    return parseCheckpoint(parseTlogProof(text).checkpoint).checkpoint.size;
  } catch (error) {
    if (error instanceof RangeError) return -1;
    throw error;
  }
}

/** The leaves about a session that its receipts add to those of the log that is there: none, unless that is another log. */
export function addReceipts(leaves: readonly Leaf[], receipts: readonly Receipt[], session: Uint8Array): Leaf[] {
  const known = new Set(leaves.map((leaf) => encodeLeaf(leaf).toString('hex')));
  const added = receipts
    .map(({ leaf }) => leaf)
    .filter((leaf) => leaf.subject.equals(session) && !known.has(encodeLeaf(leaf).toString('hex')));
  return [...leaves, ...added];
}
