import { UserError } from '../shared/errors.ts';
import type { OpenFile } from './disk.ts';
import { recordAt, recordHeadBytes } from './journal-format.ts';

/** A piece of a segment in which records of a session lie, perhaps among others'. */
export interface Extent {
  segment: number;
  start: number;
  end: number;
}

/** What of these extents stands before a place. */
export const extentsBefore = (
  extents: readonly Extent[],
  { segment, offset }: { segment: number; offset: number },
): Extent[] =>
  extents
    .filter((extent) => extent.segment < segment || (extent.segment === segment && extent.start < offset))
    .map((extent) => (extent.segment === segment ? { ...extent, end: Math.min(extent.end, offset) } : { ...extent }));

/** Records of one session that are nearer than this are read in one piece, with what lies between. */
export const extentGapBytes = 64 * 1024;
const readBytes = 1024 * 1024;

/** The session's entries in these extents, in order. */
export async function* readExtents(
  extents: Extent[],
  session: { id: string; idBytes: Uint8Array },
  open: (segment: number) => Promise<OpenFile>,
): AsyncGenerator<Buffer> {
  for (const extent of extents) {
    const file = await open(extent.segment);
    try {
      yield* readExtent(file, extent, session);
    } finally {
      await file.close();
    }
  }
}

async function* readExtent(
  file: OpenFile,
  { segment, start, end }: Extent,
  session: { id: string; idBytes: Uint8Array },
): AsyncGenerator<Buffer> {
  const idBytes = Buffer.from(session.idBytes);
  let at = start;
  let wanted = readBytes;
  while (at < end) {
    const piece = await readAt(file, at, Math.min(wanted, end - at));
    let inPiece = 0;
    for (;;) {
      const whole = wholeRecord(piece, inPiece);
      if (whole === undefined) break;
      const record = recordAt(piece, inPiece, at + inPiece);
      if (record === undefined || record === 'end') throw damaged(session.id, segment, at + inPiece);
      const idAt = inPiece + 8;
      if (idBytes.equals(piece.subarray(idAt, inPiece + recordHeadBytes))) {
        yield piece.subarray(inPiece + recordHeadBytes, inPiece + record.bytes);
      }
      inPiece += record.bytes;
    }
    if (inPiece === 0) {
      // One record is larger than what was read: read all of it, or find that it cannot be whole.
      const needed = piece.length >= 4 ? 8 + piece.readUInt32BE(0) : readBytes;
      if (needed <= piece.length || at + needed > end) throw damaged(session.id, segment, at);
      wanted = needed;
    } else wanted = readBytes;
    at += inPiece;
  }
}

/** Length of the record at `at` when all of it is in the piece. */
function wholeRecord(piece: Buffer, at: number): number | undefined {
  if (at + recordHeadBytes > piece.length) return undefined;
  const bytes = 8 + piece.readUInt32BE(at);
  return at + bytes <= piece.length ? bytes : undefined;
}

async function readAt(file: OpenFile, at: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(bytes);
  let read = 0;
  while (read < bytes) {
    const bytesRead = await file.read(buffer.subarray(read), at + read);
    if (bytesRead === 0) break;
    read += bytesRead;
  }
  return buffer.subarray(0, read);
}

const damaged = (id: string, segment: number, offset: number): UserError =>
  new UserError(
    'HOOP_RECORD_DAMAGED',
    `the journal cannot be read at byte ${offset} of segment ${segment}, where session ${id} has entries`,
    { next: 'restore the segment from a backup; other sessions and segments are not touched' },
  );
