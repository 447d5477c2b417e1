import { assert } from '../shared/errors.ts';
import { digestBytes, domains, sha256Characters, sha256Of } from './digest.ts';
import {
  entryKinds,
  entryVersion,
  type EntryBody,
  type EntryHeader,
  type EntryKind,
  type WholeEntry,
} from './entry.ts';
import { readU64, writeU32, writeU64 } from './field-codecs.ts';
import { fieldsOf, readFields } from './fields.ts';
import { payloadBytes, writePayload } from './payload.ts';
import { ViewsByLength } from './views-by-length.ts';

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

/** SHA-256("hoop entry v1\n" ‖ header), a character a byte; `bytes` begins with the header. */
export function entryHashCharacters(bytes: Uint8Array): string {
  const from = domains.entry.length;
  for (let at = 0; at < headerBytes; at++) hashInput[from + at] = bytes[at]!;
  return sha256Characters(hashInput);
}

export const entryHash = (bytes: Uint8Array): Buffer => Buffer.from(entryHashCharacters(bytes), 'latin1');

export interface EntryPlace {
  stream: number;
  seq: number;
  timeMicros: number;
  /** Hash of the entry before, a character a byte. */
  previous: string;
  salt: Uint8Array;
}

const kindNumbers = Object.fromEntries(entryKinds.map((kind, index) => [kind, index + 1])) as Record<EntryKind, number>;

/** Most entries are at most this long: they are encoded in the same memory, one after the other. */
const sharedBytes = 4096;
const shared = Buffer.alloc(sharedBytes);
const sharedEntries = new ViewsByLength(shared, 0);
/** Domain, salt and payload. */
const committedFrom = headerBytes - domains.payload.length;
const sharedCommitted = new ViewsByLength(shared, committedFrom);

/**
 * Encodes an entry; keeps no reference to anything in the body. One of at most 4096 bytes is **good until the next call**, a larger one
 * has memory of its own.
 */
export function encodeEntry(body: EntryBody, place: EntryPlace): Buffer {
  const bytes = payloadAt + payloadBytes(body);
  const isShared = bytes <= sharedBytes;
  const entry = isShared ? sharedEntries.ofLength(bytes) : Buffer.allocUnsafe(bytes);
  const end = writePayload(body, entry, payloadAt);
  assert(end === bytes, 'a payload has the length that was measured');
  entry.set(place.salt, headerBytes);
  // The domain stands for a moment where the header's end will be, so that domain ‖ salt ‖ payload is hashed without a copy.
  entry.set(domains.payload, committedFrom);
  const commitment = sha256Characters(
    isShared ? sharedCommitted.ofLength(bytes - committedFrom) : entry.subarray(committedFrom),
  );
  entry[0] = entryVersion;
  entry[1] = kindNumbers[body.kind];
  entry[2] = 0; // flags
  entry[3] = 0;
  writeU32(place.stream, entry, 4);
  writeU64(place.seq, entry, 8);
  writeU64(place.timeMicros, entry, 16);
  writeU32(bytes - payloadAt, entry, 24);
  writeCharacters(commitment, entry, commitmentAt);
  writeCharacters(place.previous, entry, previousAt);
  return entry;
}

/** Reads a header. Throws RangeError when it is not one of this version. Hashes are views of `bytes`. */
export function decodeHeader(bytes: Uint8Array): EntryHeader {
  const from = asBuffer(bytes);
  checkHeader(from);
  return {
    kind: kindOf(from),
    stream: from.readUInt32BE(4),
    seq: readU64(from, 8),
    timeMicros: readU64(from, 16),
    payloadBytes: from.readUInt32BE(24),
    commitment: from.subarray(commitmentAt, previousAt),
    previous: from.subarray(previousAt, previousAt + digestBytes),
  };
}

/** Throws RangeError when it is not a header of this version. */
export function checkHeader(bytes: Uint8Array): void {
  if (bytes.length < headerBytes) throw new RangeError(`${bytes.length} bytes where a header of ${headerBytes} is due`);
  if (bytes[0] !== entryVersion) throw new RangeError(`format version ${bytes[0]} is not known`);
  if (entryKinds[bytes[1]! - 1] === undefined) throw new RangeError(`kind ${bytes[1]} is not known`);
  if (bytes[2] !== 0 || bytes[3] !== 0) throw new RangeError('flags are not known');
}

/** Of an encoded entry whose header was checked or made here. */
export const kindOf = (entry: Uint8Array): EntryKind => entryKinds[entry[1]! - 1]!;
export const seqOf = (entry: Uint8Array): number => readU64(entry, 8);
export const timeOf = (entry: Uint8Array): number => readU64(entry, 16);

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
  return hasCharacters(commitmentOf(from), from, commitmentAt);
}

const shortBytes = 4096;
const shortInput = Buffer.concat([domains.payload, Buffer.alloc(shortBytes)]);
const shortInputs = new ViewsByLength(shortInput, 0);

/** Most payloads are small: copying them behind the domain is cheaper than an incremental hash. */
function commitmentOf(entry: Buffer): string {
  const committed = entry.length - headerBytes;
  if (committed > shortBytes) return sha256Of(domains.payload, entry.subarray(headerBytes)).toString('latin1');
  entry.copy(shortInput, domains.payload.length, headerBytes);
  return sha256Characters(shortInputs.ofLength(domains.payload.length + committed));
}

/** Does the entry follow the one with this hash (a character a byte)? */
export const followsFrom = (entry: Uint8Array, previous: string): boolean => hasCharacters(previous, entry, previousAt);

// For 32 characters, loops are cheaper than calls out of JavaScript.
function writeCharacters(characters: string, to: Uint8Array, at: number): void {
  for (let index = 0; index < digestBytes; index++) to[at + index] = characters.charCodeAt(index);
}

function hasCharacters(characters: string, bytes: Uint8Array, at: number): boolean {
  for (let index = 0; index < digestBytes; index++)
    if (bytes[at + index] !== characters.charCodeAt(index)) return false;
  return true;
}

export const asBuffer = (bytes: Uint8Array): Buffer =>
  bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
