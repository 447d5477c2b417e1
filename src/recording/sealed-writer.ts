import { crc32 } from 'node:zlib';
import { limits } from '../shared/limits.ts';
import { threadedGzip, type Compression } from './compression.ts';
import { headerBytes, payloadAt, seqOf } from './entry-codec.ts';
import {
  encodeFooter,
  encodeIndex,
  encodePreamble,
  erasedLength,
  type Member,
  type SealedKind,
} from './sealed-format.ts';
import { readSealed, type SealedFiles } from './sealed-reader.ts';

type Write = (bytes: Uint8Array) => Promise<void>;

/** Writes one of the two files of a sealed recording, front to back, holding at most one member. */
class SealedFileWriter {
  readonly #write: Write;
  readonly #compression: Compression;
  readonly #members: Member[] = [];
  readonly #pending = Buffer.allocUnsafe(limits.memberBytesMax);
  #pendingBytes = 0;
  /** Of the pending member. */
  #seq = 0;
  #continues = false;
  #offset = 0;
  #uncompressed = 0;

  constructor(write: Write, compression: Compression) {
    this.#write = write;
    this.#compression = compression;
  }

  async start(kind: SealedKind, sessionId: Uint8Array): Promise<void> {
    await this.#put(encodePreamble(kind, sessionId));
  }

  /** Adds the bytes of entry `seq`. A promise only where something is to be waited for. */
  add(seq: number, pieces: Uint8Array[]): Promise<void> | undefined {
    const bytes = pieces.reduce((total, piece) => total + piece.length, 0);
    if (this.#pendingBytes + bytes > this.#pending.length) return this.#addLarge(seq, pieces);
    if (this.#pendingBytes === 0) this.#begin(seq, false);
    for (const piece of pieces) this.#take(piece);
    return undefined;
  }

  /** The entry begins a member of its own, and goes on in others where it is larger than one. */
  async #addLarge(seq: number, pieces: Uint8Array[]): Promise<void> {
    await this.#endMember();
    this.#begin(seq, false);
    for (const piece of pieces) {
      for (let at = 0; at < piece.length;) {
        if (this.#pendingBytes === this.#pending.length) {
          await this.#endMember();
          this.#begin(seq, true);
        }
        const part = piece.subarray(at, at + this.#pending.length - this.#pendingBytes);
        this.#take(part);
        at += part.length;
      }
    }
    if (this.#continues) await this.#endMember(); // so that members begin with a whole entry wherever they can
  }

  async finish(entries: number, head: Uint8Array): Promise<void> {
    await this.#endMember();
    const index = encodeIndex(this.#members);
    const indexOffset = this.#offset;
    await this.#put(index);
    const footer = { indexOffset, indexBytes: index.length, indexCrc: crc32(index), entries, head };
    await this.#put(encodeFooter({ ...footer, uncompressed: this.#uncompressed }));
  }

  #begin(seq: number, continues: boolean): void {
    this.#seq = seq;
    this.#continues = continues;
  }

  #take(piece: Uint8Array): void {
    this.#pending.set(piece, this.#pendingBytes);
    this.#pendingBytes += piece.length;
  }

  async #endMember(): Promise<void> {
    if (this.#pendingBytes === 0) return;
    const uncompressed = this.#pendingBytes;
    const bytes = await this.#compression.compress(this.#pending.subarray(0, uncompressed));
    const offset = this.#offset;
    this.#members.push({ offset, compressed: bytes.length, uncompressed, seq: this.#seq, continues: this.#continues });
    this.#pendingBytes = 0;
    this.#uncompressed += uncompressed;
    await this.#put(bytes);
  }

  async #put(bytes: Uint8Array): Promise<void> {
    await this.#write(bytes);
    this.#offset += bytes.length;
  }
}

/** Writes both files of a sealed recording in one pass over its encoded entries; holds at most two MiB. */
export async function writeSealed(
  sessionId: Uint8Array,
  entries: AsyncIterable<Uint8Array>,
  to: Record<SealedKind, Write>,
  head: () => Uint8Array,
  compression: Compression = threadedGzip,
): Promise<number> {
  const chain = new SealedFileWriter(to.chain, compression);
  const payload = new SealedFileWriter(to.payload, compression);
  await chain.start('chain', sessionId);
  await payload.start('payload', sessionId);
  let count = 0;
  for await (const entry of entries) {
    const seq = seqOf(entry);
    const chained = chain.add(seq, [entry.subarray(0, headerBytes)]);
    if (chained) await chained;
    const paid = payload.add(seq, payloadPieces(entry));
    if (paid) await paid;
    count++;
  }
  await payload.finish(count, head());
  await chain.finish(count, head());
  return count;
}

/** Writes the payload file anew, without the payloads and salts of these entries. The chain file stays as it is. */
export async function rewritePayload(
  files: SealedFiles,
  erased: ReadonlySet<number>,
  to: Write,
  compression: Compression = threadedGzip,
): Promise<void> {
  const payload = new SealedFileWriter(to, compression);
  await payload.start('payload', files.payload.sessionId);
  let count = 0;
  for await (const entry of readSealed(files)) {
    const seq = seqOf(entry);
    const paid = payload.add(seq, payloadPieces(erased.has(seq) ? entry.subarray(0, headerBytes) : entry));
    if (paid) await paid;
    count++;
  }
  await payload.finish(count, files.payload.footer.head);
}

/** What the payload file has of an entry; of one that is its header alone, that it was erased. */
function payloadPieces(entry: Uint8Array): Uint8Array[] {
  const length = Buffer.alloc(4);
  if (entry.length === headerBytes) {
    length.writeUInt32BE(erasedLength);
    return [length];
  }
  length.writeUInt32BE(entry.length - payloadAt);
  return [length, entry.subarray(headerBytes, payloadAt), entry.subarray(payloadAt)];
}
