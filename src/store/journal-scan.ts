import { sessionIdBytes } from '../recording/session-id.ts';
import type { Disk } from './disk.ts';
import { systemDisk } from './durable.ts';
import { decodeSegmentHeader, recordAt, segmentHeaderBytes, type SegmentHeader } from './journal-format.ts';

/** A place in a segment that was durable once and cannot be read now. */
export interface JournalFault {
  segment: number;
  /** First unreadable byte, and the first readable one after it. */
  from: number;
  to: number;
}

export interface SegmentScan {
  /** Undefined when the segment was made ahead of time and never used. */
  header: SegmentHeader | undefined;
  /** End of the last record that was durable (or may have been). */
  end: number;
  faults: JournalFault[];
}

/** `readableFrom`: between there and this record, everything can be read. */
export type FoundEntry = { sessionHex: string; offset: number; bytes: number; readableFrom: number };

export interface ScanFacts {
  segment: number;
  /** What the next segment says of this one; undefined for the last. */
  durableEnd: number | undefined;
}

/**
 * Reads one segment from front to back. Records stop at the first zero length. An unreadable record is a torn tail, and normal, when
 * nothing shows that it was ever durable; else it is damage, which is named, and reading goes on behind it.
 */
export function scanSegment(bytes: Buffer, facts: ScanFacts, found: (entry: FoundEntry) => void): SegmentScan {
  const faults: JournalFault[] = [];
  bytes = withoutZeros(bytes);
  const header = decodeSegmentHeader(bytes);
  if (!header) return headless(bytes, facts, found);
  const end = scanRecords(bytes, segmentHeaderBytes, facts, faults, found);
  return { header, end, faults };
}

/**
 * No header: never used, torn in its first batch, or damaged. The mark at its first place is written together with the header, so it shows
 * nothing of it; what can be read behind that mark counts, as behind every other.
 */
function headless(bytes: Buffer, facts: ScanFacts, found: (entry: FoundEntry) => void): SegmentScan {
  const isDamaged = nextProof(bytes, segmentHeaderBytes, facts) !== undefined;
  if (!isDamaged && !isMarkAt(bytes, segmentHeaderBytes)) return { header: undefined, end: 0, faults: [] };
  const faults: JournalFault[] = isDamaged ? [{ segment: facts.segment, from: 0, to: segmentHeaderBytes }] : [];
  const end = scanRecords(bytes, segmentHeaderBytes, facts, faults, found);
  const header = { segment: facts.segment, previousSegment: 0, previousDurable: 0, timeMicros: 0 };
  return { header, end, faults };
}

function scanRecords(
  bytes: Buffer,
  from: number,
  facts: ScanFacts,
  faults: JournalFault[],
  found: (entry: FoundEntry) => void,
): number {
  let at = from;
  let readableFrom = from;
  for (;;) {
    if (facts.durableEnd !== undefined && at >= facts.durableEnd) return at;
    const record = recordAt(bytes, at, at);
    if (record === 'end' || record === undefined) {
      const proof = nextProof(bytes, at, facts);
      if (proof === undefined) return at;
      const to = nextRecord(bytes, at + 1, proof);
      faults.push({ segment: facts.segment, from: at, to });
      at = to;
      readableFrom = to;
      continue;
    }
    if (record.kind === 'entry') {
      const sessionHex = bytes.toString('hex', at + 8, at + 8 + sessionIdBytes);
      found({ sessionHex, offset: at, bytes: record.bytes, readableFrom });
    }
    at += record.bytes;
  }
}

/** A place behind `at` before which everything was durable: the end that the next segment names, or the mark of a later batch. */
function nextProof(bytes: Buffer, at: number, { durableEnd }: ScanFacts): number | undefined {
  if (durableEnd !== undefined) return at < durableEnd ? durableEnd : undefined;
  for (let next = at + 1; next + 32 <= bytes.length; next++) {
    // A mark: length 24, session id of zeros, its own offset. Its first bytes are 00 00 00 18.
    next = bytes.indexOf(markLength, next);
    if (next < 0) return undefined;
    if (isMarkAt(bytes, next)) return next;
  }
  return undefined;
}

function isMarkAt(bytes: Buffer, at: number): boolean {
  const record = recordAt(bytes, at, at);
  return record !== undefined && record !== 'end' && record.kind === 'mark';
}

const markLength = Buffer.from([0, 0, 0, 24]);

/** The first intact record at or behind `at`, at the latest `proof`. */
function nextRecord(bytes: Buffer, at: number, proof: number): number {
  for (; at < proof; at++) {
    const record = recordAt(bytes, at, at);
    if (record !== undefined && record !== 'end') return at;
  }
  return proof;
}

const zeros = Buffer.alloc(64 * 1024);

export function isBlank(bytes: Buffer): boolean {
  const rest = withoutZeros(bytes);
  return rest.equals(zeros.subarray(0, rest.length));
}

/** Without whole blocks of zeros at the end: what was made ahead of time and not used yet. */
function withoutZeros(bytes: Buffer): Buffer {
  let end = bytes.length;
  while (end >= zeros.length && bytes.subarray(end - zeros.length, end).equals(zeros)) end -= zeros.length;
  return bytes.subarray(0, end);
}

async function readHeader(path: string, disk: Disk): Promise<SegmentHeader | undefined> {
  const file = await disk.open(path, 'r');
  try {
    const buffer = Buffer.alloc(segmentHeaderBytes);
    return decodeSegmentHeader(buffer.subarray(0, await file.read(buffer, 0)));
  } finally {
    await file.close();
  }
}

/** Where each of these segments ended, as its successor says. */
export async function durableEnds(paths: readonly string[], disk: Disk = systemDisk): Promise<Map<number, number>> {
  const ends = new Map<number, number>();
  for (const path of paths) {
    const header = await readHeader(path, disk).catch(() => undefined);
    if (header && header.previousSegment > 0) ends.set(header.previousSegment, header.previousDurable);
  }
  return ends;
}
