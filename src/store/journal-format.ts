import { crc32 } from 'node:zlib';
import { sessionIdBytes } from '../recording/session-id.ts';
import { entryKinds } from '../recording/entry.ts';
import { payloadAt } from '../recording/entry-codec.ts';
import { readU64, writeU32, writeU64 } from '../recording/field-codecs.ts';

/**
 * A segment of the journal: header (64 bytes), then records, then zeros. All integers big-endian.
 *
 *   header   magic "hoopjnl\n" 8 · version u16 = 1 · 0 u16 · 0 u32 · segment u64 · previous segment u64 (0: none)
 *            · last durable offset of the previous segment u64 · time u64, µs · 0 u64 · crc32 u32 of the 56 bytes before · 0 u32
 *   record   length u32 of what follows the checksum · crc32 u32 of that · session id 16 · entry (recording/entry-codec.ts)
 *   mark     a record whose session id is zeros and whose entry is its own offset u64. Every batch begins with one: it says that
 *            all before it was durable when it was written, so that a torn tail can be told from damage.
 *   cleared  a record whose session id and entry are zeros: its session is in the archive, or was removed from there
 */
export const segmentHeaderBytes = 64;
export const recordHeadBytes = 24;
const magic = Buffer.from('hoopjnl\n');
const version = 1;
const crcAt = 56;
const markBytes = recordHeadBytes + 8;
const noSession = Buffer.alloc(sessionIdBytes);

export const segmentName = (segment: number): string => `${String(segment).padStart(10, '0')}.journal`;

/** Those of the files of these names, in order. */
export const segmentNumbers = (names: readonly string[]): number[] =>
  names
    .filter((name) => /^\d{10}\.journal$/.test(name))
    .map((name) => Number(name.slice(0, 10)))
    .toSorted((a, b) => a - b);

export interface SegmentHeader {
  segment: number;
  previousSegment: number;
  previousDurable: number;
  timeMicros: number;
}

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(segmentHeaderBytes);
  bytes.set(magic, 0);
  bytes.writeUInt16BE(version, 8);
  writeU64(header.segment, bytes, 16);
  writeU64(header.previousSegment, bytes, 24);
  writeU64(header.previousDurable, bytes, 32);
  writeU64(header.timeMicros, bytes, 40);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, crcAt)), crcAt);
  return bytes;
}

/** Undefined when these are not the bytes of a header of this version. */
export function decodeSegmentHeader(bytes: Buffer): SegmentHeader | undefined {
  if (bytes.length < segmentHeaderBytes || !bytes.subarray(0, 8).equals(magic)) return undefined;
  if (bytes.readUInt16BE(8) !== version || bytes.readUInt32BE(crcAt) !== crc32(bytes.subarray(0, crcAt)))
    return undefined;
  return {
    segment: readU64(bytes, 16),
    previousSegment: readU64(bytes, 24),
    previousDurable: readU64(bytes, 32),
    timeMicros: readU64(bytes, 40),
  };
}

/** The 24 bytes before an entry. */
export function encodeRecordHead(sessionId: Uint8Array, entry: Uint8Array): Buffer {
  const head = Buffer.allocUnsafe(recordHeadBytes);
  head.writeUInt32BE(sessionIdBytes + entry.length, 0);
  head.set(sessionId, 8);
  head.writeUInt32BE(crc32(entry, crc32(head.subarray(8))), 4);
  return head;
}

/** Head and entry, behind each other: the checksum is over both in one step. */
export function writeRecord(sessionId: Uint8Array, entry: Uint8Array, to: Buffer, at: number): void {
  const end = at + recordHeadBytes + entry.length;
  writeU32(sessionIdBytes + entry.length, to, at);
  to.set(sessionId, at + 8);
  to.set(entry, at + recordHeadBytes);
  writeU32(crc32(to.subarray(at + 8, end)), to, at + 4);
}

export function encodeMark(offset: number): Buffer {
  const body = Buffer.alloc(8);
  writeU64(offset, body, 0);
  return Buffer.concat([encodeRecordHead(noSession, body), body]);
}

export interface JournalRecord {
  kind: 'entry' | 'mark' | 'cleared';
  bytes: number;
}

/** A record that says nothing, in the place of one of this length (its head included). */
export function encodeCleared(bytes: number): Buffer {
  const body = Buffer.alloc(bytes - recordHeadBytes);
  return Buffer.concat([encodeRecordHead(noSession, body), body]);
}

/** The intact record at `at`; `offset` is its place in the segment. 'end' at a zero length; undefined when there is none. */
export function recordAt(bytes: Buffer, at: number, offset: number): JournalRecord | 'end' | undefined {
  if (at + 4 > bytes.length) return 'end';
  const length = bytes.readUInt32BE(at);
  if (length === 0) return 'end';
  const end = at + 8 + length;
  if (end > bytes.length || !plausible(bytes, at, end)) return undefined;
  if (crc32(bytes.subarray(at + 8, end)) !== bytes.readUInt32BE(at + 4)) return undefined;
  if (!isMark(bytes, at, end)) return { kind: isNobodys(bytes, at) ? 'cleared' : 'entry', bytes: end - at };
  return readU64(bytes, at + recordHeadBytes) === offset ? { kind: 'mark', bytes: end - at } : undefined;
}

const isMark = (bytes: Buffer, at: number, end: number): boolean => end - at === markBytes && isNobodys(bytes, at);

const isNobodys = (bytes: Buffer, at: number): boolean => noSession.compare(bytes, at + 8, at + recordHeadBytes) === 0;

/** Cheap look before the checksum: lets a scan of damaged bytes go fast. */
function plausible(bytes: Buffer, at: number, end: number): boolean {
  if (end - at === markBytes) return true;
  const entry = at + recordHeadBytes;
  if (end - entry < payloadAt) return false;
  if (isNobodys(bytes, at)) return bytes[entry] === 0;
  const kind = bytes[entry + 1]!;
  return (
    bytes[entry] === 1 &&
    kind >= 1 &&
    kind <= entryKinds.length &&
    bytes.readUInt32BE(entry + 24) === end - entry - payloadAt
  );
}
