import { assert } from '../shared/errors.ts';
import { digestBytes, domains, sha256Characters, sha256Of } from './digest.ts';
import { entryVersion, type EntryBody, type EntryHeader, type EntryKind, type WholeEntry } from './entry.ts';
import { kindNamed, kindNumbers } from './entry-kinds.ts';
import { holdsOneOf, readGroup, type EventGroup } from './event-group.ts';
import { readU64, writeU16, writeU32, writeU64 } from './field-codecs.ts';
import { fieldsOf, readFields } from './fields.ts';
import { payloadBytes, writePayload } from './payload.ts';
import { ViewsByLength } from './views-by-length.ts';

/**
 * One encoded entry: header (92 bytes) ‖ salt (16) ‖ payload. All integers big-endian.
 *
 *   0  format version u8 = 1      16  time u64, µs since 1970
 *   1  kind u8                    24  payload length u32
 *   2  further events u16         28  payload commitment, 32 bytes
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

/** Most entries are at most this long: they are encoded in the same memory, one after the other. */
export const sharedBytes = 4096;
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
  const entry = roomFor(payloadBytes(body));
  const end = writePayload(body, entry, payloadAt);
  assert(end === entry.length, 'a payload has the length that was measured');
  return finish(entry, kindNumbers[body.kind], 1, place);
}

/** The same for the events of one step, of which there is at least one. */
export function encodeGroup(group: EventGroup, place: EntryPlace): Buffer {
  const entry = roomFor(group.payloadBytes);
  group.writePayload(entry, payloadAt);
  return finish(entry, kindNumbers[group.kind], group.events.length, place);
}

function roomFor(payloadBytes: number): Buffer {
  const bytes = payloadAt + payloadBytes;
  return bytes <= sharedBytes ? sharedEntries.ofLength(bytes) : Buffer.allocUnsafe(bytes);
}

/** Salt, commitment and header of an entry whose payload is there. */
function finish(entry: Buffer, kind: number, events: number, place: EntryPlace): Buffer {
  const bytes = entry.length;
  entry.set(place.salt, headerBytes);
  // The domain stands for a moment where the header's end will be, so that domain ‖ salt ‖ payload is hashed without a copy.
  entry.set(domains.payload, committedFrom);
  const commitment = sha256Characters(
    bytes <= sharedBytes ? sharedCommitted.ofLength(bytes - committedFrom) : entry.subarray(committedFrom),
  );
  entry[0] = entryVersion;
  entry[1] = kind;
  writeU16(events - 1, entry, 2);
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
    events: eventsOf(from),
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
  const kind = kindNamed(bytes[1]!);
  if (kind === undefined) throw new RangeError(`kind ${bytes[1]} is not known`);
  if ((kind === 'group') === (eventsOf(bytes) === 1)) throw new RangeError(`${kind} with ${eventsOf(bytes)} events`);
}

/** Of an encoded entry whose header was checked or made here. */
export const kindOf = (entry: Uint8Array): EntryKind => kindNamed(entry[1]!)!;
/** How many sequence numbers it has. */
export const eventsOf = (entry: Uint8Array): number => entry[2]! * 0x100 + entry[3]! + 1;
export const seqOf = (entry: Uint8Array): number => readU64(entry, 8);
export const timeOf = (entry: Uint8Array): number => readU64(entry, 16);

/** Reads a whole entry of one event; the body shares memory with `bytes`. Does not check hashes: chain.ts does. Throws RangeError. */
export function decodeEntry(bytes: Uint8Array): WholeEntry {
  const [entry, further] = decodeEvents(bytes);
  if (further) throw new RangeError('a group where one event is due');
  return entry!;
}

/** The same of any entry: its events in order, each with its own number. */
export function decodeEvents(bytes: Uint8Array): WholeEntry[] {
  const header = decodeHeader(bytes);
  const payload = asBuffer(bytes).subarray(payloadAt);
  if (payload.length !== header.payloadBytes) {
    throw new RangeError(`the payload has ${payload.length} bytes, its header says ${header.payloadBytes}`);
  }
  if (header.kind !== 'group') return [{ header, body: readBody(header.kind, payload) }];
  return readGroup(payload, header.events).map((event, index) => ({
    header: { ...header, kind: event.kind, seq: header.seq + index },
    body: readBody(event.kind, event.payload),
  }));
}

const readBody = (kind: EntryKind, payload: Buffer): EntryBody =>
  ({ kind, ...readFields(fieldsOf(kind), payload) }) as unknown as EntryBody;

/** Of an entry that was made here, or checked and read: is one of its events of these kinds? */
export function isOneOf(kinds: ReadonlySet<EntryKind>, entry: Buffer): boolean {
  const kind = kindOf(entry);
  return kind === 'group' ? holdsOneOf(kinds, entry, payloadAt) : kinds.has(kind);
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
