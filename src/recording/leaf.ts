import { domains, sha256Of } from './digest.ts';
import { readU64, writeU64 } from './field-codecs.ts';

/** Kinds of leaves of the transparency log; a kind's number is its place here, counted from 1. Append only. */
export const leafKinds = [
  'open',
  'head',
  'close',
  'interrupted',
  'erased',
  'removed',
  'boot',
  'key',
  'agent',
  'admin',
] as const;
export type LeafKind = (typeof leafKinds)[number];

/**
 * One leaf, 72 bytes, all integers big-endian. It names nobody and quotes nothing; docs/recording-format.md says what the last three
 * fields are for each kind.
 *
 *   0  version u8 = 1      4  0 u32                 16  subject, 16 bytes
 *   1  kind u8             8  time u64, µs          32  number u64
 *   2  0 u16                                        40  digest, 32 bytes
 */
export interface Leaf {
  kind: LeafKind;
  timeMicros: number;
  /** A session's id, or random. */
  subject: Buffer;
  number: number;
  digest: Buffer;
}

export const leafBytes = 72;
const version = 1;

export function encodeLeaf({ kind, timeMicros, subject, number, digest }: Leaf): Buffer {
  const bytes = Buffer.alloc(leafBytes);
  bytes[0] = version;
  bytes[1] = leafKinds.indexOf(kind) + 1;
  writeU64(timeMicros, bytes, 8);
  bytes.set(subject.subarray(0, 16), 16);
  writeU64(number, bytes, 32);
  bytes.set(digest.subarray(0, 32), 40);
  return bytes;
}

/** Throws RangeError on anything that `encodeLeaf` would not have made. */
export function decodeLeaf(bytes: Buffer): Leaf {
  if (bytes.length !== leafBytes) throw new RangeError(`a leaf of ${bytes.length} bytes`);
  const kind = leafKinds[bytes[1]! - 1];
  if (bytes[0] !== version || kind === undefined) throw new RangeError('a leaf of an unknown version or kind');
  if (bytes.readUIntBE(2, 6) !== 0) throw new RangeError('a leaf with unknown flags');
  return {
    kind,
    timeMicros: readU64(bytes, 8),
    subject: bytes.subarray(16, 32),
    number: readU64(bytes, 32),
    digest: bytes.subarray(40),
  };
}

/** What an ADMIN leaf commits to: the act's own text, which is kept beside the log and can be erased from there. */
export const commitAct = (salt: Uint8Array, act: Uint8Array): Buffer => sha256Of(domains.act, salt, act);

/** What an AGENT leaf commits to. */
export const commitAgent = (salt: Uint8Array, publicKey: Uint8Array): Buffer =>
  sha256Of(domains.agent, salt, publicKey);
