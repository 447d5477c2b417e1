import { limits } from '../shared/limits.ts';
import { threadedGzip, type Compression } from './compression.ts';
import { eventsOf, headerBytes, saltBytes, seqOf } from './entry-codec.ts';
import {
  decodeFooter,
  decodeIndex,
  decodePreamble,
  erasedLength,
  footerBytes,
  preambleBytes,
  type Footer,
  type Member,
  type SealedKind,
} from './sealed-format.ts';

/** Bytes at a place: a file, an object in a store, a buffer. Fewer bytes than asked for only at the end. */
export interface PositionalReader {
  readonly size: number;
  read(offset: number, bytes: number): Promise<Uint8Array>;
}

const lengthBytes = 4;

/** One opened file of a sealed recording. Methods throw RangeError on anything that the writer would not have written. */
export class SealedFile {
  readonly #reader: PositionalReader;
  readonly #compression: Compression;
  readonly sessionId: Buffer;
  readonly footer: Footer;
  readonly members: Member[];

  private constructor(
    { reader, compression }: { reader: PositionalReader; compression: Compression },
    sessionId: Buffer,
    footer: Footer,
    members: Member[],
  ) {
    this.#reader = reader;
    this.#compression = compression;
    this.sessionId = sessionId;
    this.footer = footer;
    this.members = members;
  }

  static async open(
    kind: SealedKind,
    reader: PositionalReader,
    compression: Compression = threadedGzip,
  ): Promise<SealedFile> {
    if (reader.size < preambleBytes + footerBytes) throw new RangeError('the file is too short');
    const sessionId = decodePreamble(kind, await exactly(reader, 0, preambleBytes));
    const footer = decodeFooter(await exactly(reader, reader.size - footerBytes, footerBytes));
    if (footer.indexOffset + footer.indexBytes + footerBytes !== reader.size)
      throw new RangeError('the index is not where the footer says');
    const index = await exactly(reader, footer.indexOffset, footer.indexBytes);
    return new SealedFile({ reader, compression }, sessionId, footer, decodeIndex(index, footer));
  }

  /** The uncompressed bytes from the member on in which entry `seq` begins, and the number of the entry that they begin with. */
  from(seq: number): { seq: number; bytes: ByteSource; length: number } {
    const start = Math.max(
      0,
      this.members.findLastIndex((member) => !member.continues && member.seq <= seq),
    );
    const length = this.members.slice(start).reduce((sum, { uncompressed }) => sum + uncompressed, 0);
    return { seq: this.members[start]?.seq ?? 0, bytes: new ByteSource(this.#chunks(start)), length };
  }

  async *#chunks(start: number): AsyncGenerator<Buffer> {
    for (const { offset, compressed, uncompressed } of this.members.slice(start)) {
      const member = await exactly(this.#reader, offset, compressed);
      const bytes = await this.#compression.decompress(member, limits.memberBytesMax).catch((cause: unknown) => {
        throw new RangeError(`the member at byte ${offset} cannot be decompressed: ${(cause as Error).message}`);
      });
      if (bytes.length !== uncompressed) throw new RangeError(`the member at byte ${offset} has another length`);
      yield bytes;
    }
  }
}

async function exactly(reader: PositionalReader, offset: number, bytes: number): Promise<Buffer> {
  const read = await reader.read(offset, bytes);
  if (read.length !== bytes) throw new RangeError(`the file ends before byte ${offset + bytes}`);
  return Buffer.from(read.buffer, read.byteOffset, read.length);
}

/** Takes exact numbers of bytes from chunks. */
class ByteSource {
  readonly #chunks: AsyncIterator<Buffer>;
  #chunk: Buffer = Buffer.alloc(0);
  #at = 0;

  constructor(chunks: AsyncGenerator<Buffer>) {
    this.#chunks = chunks;
  }

  /** The bytes, when they are at hand without waiting. */
  ready(bytes: number): Buffer | undefined {
    if (this.#at + bytes > this.#chunk.length) return undefined;
    this.#at += bytes;
    return this.#chunk.subarray(this.#at - bytes, this.#at);
  }

  async take(bytes: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for (let missing = bytes; missing > 0;) {
      const piece = this.#chunk.subarray(this.#at, this.#at + missing);
      this.#at += piece.length;
      missing -= piece.length;
      if (piece.length > 0) pieces.push(piece);
      if (missing > 0) await this.#nextChunk();
    }
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
  }

  async #nextChunk(): Promise<void> {
    const next = await this.#chunks.next();
    if (next.done) throw new RangeError('the recording ends inside an entry');
    this.#chunk = next.value;
    this.#at = 0;
  }
}

export interface SealedFiles {
  chain: SealedFile;
  payload: SealedFile;
}

/** Opens both files and checks that they belong together. */
export async function openSealed(
  readers: Record<SealedKind, PositionalReader>,
  compression: Compression = threadedGzip,
): Promise<SealedFiles> {
  const chain = await SealedFile.open('chain', readers.chain, compression);
  const payload = await SealedFile.open('payload', readers.payload, compression);
  const together =
    chain.sessionId.equals(payload.sessionId) &&
    chain.footer.entries === payload.footer.entries &&
    Buffer.compare(chain.footer.head, payload.footer.head) === 0;
  if (!together) throw new RangeError('the chain file and the payload file belong to different recordings');
  if (chain.from(0).length !== chain.footer.entries * headerBytes)
    throw new RangeError('the chain file has another length than its entries');
  return { chain, payload };
}

/**
 * Encoded entries from the one on that has the number `fromSeq`, as they stood in the journal; of one whose payload was erased, its header
 * alone. Holds two members, or one entry.
 */
export async function* readSealed({ chain, payload }: SealedFiles, fromSeq = 0): AsyncGenerator<Buffer> {
  const payloads = payload.from(fromSeq);
  // The headers say which numbers payloads have: they are read from where the payloads begin.
  const headers = chain.from(payloads.seq);
  for (let left = headers.length; left > 0; left -= headerBytes) {
    const header = headers.bytes.ready(headerBytes) ?? (await takeHeader(headers.bytes));
    const seq = seqOf(header);
    if (seq < payloads.seq) continue;
    const payload = await takePayload(payloads.bytes);
    if (seq + eventsOf(header) <= fromSeq) continue;
    yield payload ? Buffer.concat([header, payload.salt, payload.bytes]) : Buffer.from(header);
  }
}

/** The last entry, as `readSealed` gives it. */
export async function lastSealed(files: SealedFiles): Promise<Buffer | undefined> {
  let last: Buffer | undefined;
  for await (const entry of readSealed(files, files.payload.members.findLast(({ continues }) => !continues)?.seq))
    last = entry;
  return last;
}

const takeHeader = (from: ByteSource): Promise<Buffer> => from.take(headerBytes);

async function takePayload(from: ByteSource): Promise<{ salt: Buffer; bytes: Buffer } | undefined> {
  const length = (from.ready(lengthBytes) ?? (await from.take(lengthBytes))).readUInt32BE(0);
  if (length === erasedLength) return undefined;
  if (length > payloadBytesMax) throw new RangeError(`a payload of ${length} bytes`);
  const salt = from.ready(saltBytes) ?? (await from.take(saltBytes));
  return { salt, bytes: from.ready(length) ?? (await from.take(length)) };
}

/** A message and the names and numbers beside it. */
const payloadBytesMax = 2 * limits.messageBytesMax;
