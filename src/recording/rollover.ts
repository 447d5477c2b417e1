import { parseCheckpoint } from './checkpoint.ts';
import { decodeLeaf } from './leaf.ts';
import { inclusionHolds, leafHash } from './merkle.ts';
import { keyTypes, noteHolds, verifierKey, type Note, type VerifierKey } from './note.ts';
import { parseTlogProof } from './tlog-proof.ts';
import type { Checkpoint } from './checkpoint.ts';

/**
 * A log's key is followed by another one when it says so itself: a tlog-proof of the new key's KEY leaf under a checkpoint that the old
 * key signed, the last one that it ever signs. Nothing else makes a new key one to be trusted.
 */
export interface Rollover {
  /** The new key's leaf, and its place. */
  leaf: Buffer;
  index: number;
  /** The old key's last. */
  checkpoint: Checkpoint;
}

/** One of a log's keys, and the leaves under the last checkpoint that it signed; undefined for the one in use. */
export interface LogKey {
  key: VerifierKey;
  retiredAt: number | undefined;
}

export interface LogKeys {
  /** From the trusted one on, in their order. */
  keys: LogKey[];
  followed: Rollover[];
}

/** Bounds the time of a verifier that is given a chain of keys without an end. */
export const rolloversMax = 1000;

/** From the trusted key on, as far as the proofs lead; those that prove nothing about its keys lead nowhere. */
export function followRollovers(trusted: VerifierKey, proofs: readonly string[]): LogKeys {
  const keys: LogKey[] = [{ key: trusted, retiredAt: undefined }];
  const followed: Rollover[] = [];
  const left = new Set(proofs);
  for (let last = keys[0]!; followed.length < rolloversMax;) {
    const found = [...left].map((proof) => ({ proof, rollover: rolloverFrom(last.key, proof) }));
    const next = found.find(({ rollover }) => rollover !== undefined);
    if (!next?.rollover) break;
    left.delete(next.proof);
    last.retiredAt = next.rollover.checkpoint.size;
    followed.push(next.rollover);
    last = { key: successor(trusted, next.rollover), retiredAt: undefined };
    keys.push(last);
  }
  return { keys, followed };
}

/** All keys of a log have its name; their ids differ. */
const successor = ({ name }: VerifierKey, { leaf }: Rollover): VerifierKey =>
  verifierKey(name, keyTypes.ed25519, decodeLeaf(leaf).digest);

/** Undefined for whatever is no roll-over of exactly this key. */
export function rolloverFrom(key: VerifierKey, proof: string): Rollover | undefined {
  try {
    const { extra, index, hashes, checkpoint: text } = parseTlogProof(proof);
    const { checkpoint, note } = parseCheckpoint(text);
    const { kind, digest } = decodeLeaf(extra);
    const { size, root } = checkpoint;
    const isProven =
      kind === 'key' &&
      !digest.equals(key.publicKey) &&
      isSignedBy({ checkpoint, note }, key) &&
      inclusionHolds({ leaf: leafHash(extra), index, size, root, proof: hashes });
    return isProven ? { leaf: extra, index, checkpoint } : undefined;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

export interface SignedCheckpoint {
  checkpoint: Checkpoint;
  note: Note;
}

export const isSignedBy = ({ checkpoint, note }: SignedCheckpoint, key: VerifierKey): boolean =>
  checkpoint.origin === key.name && noteHolds(note, key);

/** Has one of the keys signed it while it was in use? */
export const isSignedInTime = (signed: SignedCheckpoint, keys: readonly LogKey[]): boolean =>
  keys.some(
    ({ key, retiredAt }) => isSignedBy(signed, key) && (retiredAt === undefined || signed.checkpoint.size <= retiredAt),
  );
