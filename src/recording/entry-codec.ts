import { assert } from '../shared/errors.ts';
import { digestBytes, domains, sha256, sha256Of } from './digest.ts';
import {
  entryKinds,
  entryVersion,
  type EntryBody,
  type EntryHeader,
  type EntryKind,
  type WholeEntry,
} from './entry.ts';
import { readU64, writeU64 } from './field-codecs.ts';
import { fieldsBytes, fieldsOf, readFields, writeFields } from './fields.ts';

/**
 * One encoded entry: header (92 bytes) ‖ salt (16) ‖ payload. All integers big-endian.
 *
 *   0  format version u8 = 1      16  time u64, µs since 1970
 *   1  kind u8                    24  payload length u32
 *   2  flags u16 = 0              28  payload commitment, 32 bytes
 *   4  stream u32                 60  previous entry's hash, 32 bytes
 *   8  seq u64                    92  (end of header) salt, 16 bytes, then the payload
 */
export const headerBytes = 92;
export const saltBytes = 16;
export const payloadAt = headerBytes + saltBytes;
const commitmentAt = 28;
const previousAt = 60;

/** `previous` of the genesis entry. */
export const firstPrevious = (sessionId: Uint8Array): Buffer => sha256Of(domains.session, sessionId);

const hashInput = Buffer.concat([domains.entry, Buffer.alloc(headerBytes)]);

/** SHA-256("hoop entry v1\n" ‖ header); `bytes` begins with the header. */
export function entryHash(bytes: Uint8Array): Buffer {
  hashInput.set(bytes.subarray(0, headerBytes), domains.entry.length);
  return sha256(hashInput);
}

export interface EntryPlace {
  stream: number;
  seq: number;
  timeMicros: number;
  previous: Uint8Array;
  salt: Uint8Array;
}

const kindNumbers = Object.fromEntries(entryKinds.map((kind, index) => [kind, index + 1])) as Record<EntryKind, number>;

/** Encodes into one new buffer; keeps no reference to anything in the body. */
export function encodeEntry(body: EntryBody, place: EntryPlace): Buffer {
  const fields = fieldsOf(body.kind);
  const payloadBytes = fieldsBytes(fields, body);
  const entry = Buffer.allocUnsafe(payloadAt + payloadBytes);
  const end = writeFields(fields, body, entry, payloadAt);
  assert(end === entry.length, 'a payload has the length that was measured');
  entry.set(place.salt, headerBytes);
  // The domain stands for a moment where the header's end will be, so that domain ‖ salt ‖ payload is hashed without a copy.
  const hashedFrom = headerBytes - domains.payload.length;
  entry.set(domains.payload, hashedFrom);
  const commitment = sha256(entry.subarray(hashedFrom));
  entry[0] = entryVersion;
  entry[1] = kindNumbers[body.kind];
  entry.writeUInt16BE(0, 2);
  entry.writeUInt32BE(place.stream, 4);
  writeU64(place.seq, entry, 8);
  writeU64(place.timeMicros, entry, 16);
  entry.writeUInt32BE(payloadBytes, 24);
  entry.set(commitment, commitmentAt);
  entry.set(place.previous, previousAt);
  return entry;
}

/** Reads a header. Throws RangeError when it is not one of this version. Hashes are views of `bytes`. */
export function decodeHeader(bytes: Uint8Array): EntryHeader {
  const from = asBuffer(bytes);
  if (from.length < headerBytes) throw new RangeError(`${from.length} bytes where a header of ${headerBytes} is due`);
  const kind = entryKinds[from[1]! - 1];
  if (from[0] !== entryVersion) throw new RangeError(`format version ${from[0]} is not known`);
  if (kind === undefined) throw new RangeError(`kind ${from[1]} is not known`);
  if (from.readUInt16BE(2) !== 0) throw new RangeError('flags are not known');
  return {
    kind,
    stream: from.readUInt32BE(4),
    seq: readU64(from, 8),
    timeMicros: readU64(from, 16),
    payloadBytes: from.readUInt32BE(24),
    commitment: from.subarray(commitmentAt, previousAt),
    previous: from.subarray(previousAt, previousAt + digestBytes),
  };
}

/** Of an encoded entry whose header was checked or made here. */
export const kindOf = (entry: Uint8Array): EntryKind => entryKinds[entry[1]! - 1]!;

/** Reads a whole entry; the body shares memory with `bytes`. Does not check hashes: chain.ts does. */
export function decodeEntry(bytes: Uint8Array): WholeEntry {
  const header = decodeHeader(bytes);
  const payload = asBuffer(bytes).subarray(payloadAt);
  if (payload.length !== header.payloadBytes) {
    throw new RangeError(`the payload has ${payload.length} bytes, its header says ${header.payloadBytes}`);
  }
  const body = { kind: header.kind, ...readFields(fieldsOf(header.kind), payload) } as unknown as EntryBody;
  return { header, body };
}

/** Does the payload match the header's commitment? */
export function commitmentHolds(bytes: Uint8Array): boolean {
  const from = asBuffer(bytes);
  const committed = from.subarray(headerBytes);
  const commitment = committed.length <= shortBytes ? sha256OfShort(committed) : sha256Of(domains.payload, committed);
  return commitment.equals(from.subarray(commitmentAt, previousAt));
}

const shortBytes = 4096;
const shortInput = Buffer.concat([domains.payload, Buffer.alloc(shortBytes)]);

/** Most payloads are small: copying them behind the domain is cheaper than an incremental hash. */
function sha256OfShort(committed: Buffer): Buffer {
  shortInput.set(committed, domains.payload.length);
  return sha256(shortInput.subarray(0, domains.payload.length + committed.length));
}

export const asBuffer = (bytes: Uint8Array): Buffer =>
  bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
