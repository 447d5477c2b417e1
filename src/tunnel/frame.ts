/**
 * Frames of the tunnel: yamux (https://github.com/hashicorp/yamux/blob/master/spec.md), big-endian.
 *
 *   0         1         2         4                   8                   12
 *   ┌─────────┬─────────┬─────────┬───────────────────┬───────────────────┐
 *   │ version │ type    │ flags   │ stream id         │ length            │ data (type 0 only)
 *   └─────────┴─────────┴─────────┴───────────────────┴───────────────────┘
 *
 * docs/tunnel-protocol.md has the whole, to the byte.
 */
import { ProtocolError } from '../shared/errors.ts';
import { limits } from '../shared/limits.ts';

const frameVersion = 0;
export const headerBytes = 12;
/** A reset may say why: UTF-8 in a data frame that carries RST (our one extension). */
export const resetReasonBytesMax = 256;

export const frameType = { data: 0, windowUpdate: 1, ping: 2, goAway: 3 } as const;
export const frameFlag = { syn: 1, ack: 2, fin: 4, rst: 8 } as const;
export const goAwayCode = { normal: 0, protocolError: 1, internalError: 2 } as const;

const allFlags = frameFlag.syn | frameFlag.ack | frameFlag.fin | frameFlag.rst;

/** What a header says. `length` is the number of data bytes (data), the credit (window update), the opaque value (ping) or the code (go-away). */
export interface FrameHeader {
  type: number;
  flags: number;
  stream: number;
  length: number;
}

export function encodeHeader(type: number, flags: number, stream: number, length: number): Uint8Array {
  const header = Buffer.allocUnsafe(headerBytes);
  writeHeader(header, 0, type, flags, stream, length);
  return header;
}

export function writeHeader(
  to: Uint8Array,
  at: number,
  type: number,
  flags: number,
  stream: number,
  length: number,
): void {
  to[at] = frameVersion;
  to[at + 1] = type;
  to[at + 2] = flags >>> 8;
  to[at + 3] = flags;
  writeUint32(to, at + 4, stream);
  writeUint32(to, at + 8, length);
}

function writeUint32(to: Uint8Array, at: number, value: number): void {
  to[at] = value >>> 24;
  to[at + 1] = value >>> 16;
  to[at + 2] = value >>> 8;
  to[at + 3] = value;
}

/** Gets what a parser finds, synchronously and in order. */
export interface FrameSink {
  /** A whole header. The object is reused for the next frame. */
  header(header: FrameHeader): void;
  /** Bytes of the data frame whose header came last; `last` when the frame is complete. A view: nothing was copied. */
  payload(bytes: Uint8Array, last: boolean): void;
}

/**
 * Takes a byte stream in any cuts. Holds at most an incomplete header: data is handed on as it comes. Throws ProtocolError on bytes
 * that cannot be a frame; it must not be used after that.
 */
export class FrameParser {
  readonly #sink: FrameSink;
  readonly #partial = Buffer.alloc(headerBytes);
  readonly #header: FrameHeader = { type: 0, flags: 0, stream: 0, length: 0 };
  #partialBytes = 0;
  #payloadLeft = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      at = this.#payloadLeft > 0 ? this.#takePayload(chunk, at) : this.#takeHeader(chunk, at);
    }
  }

  #takePayload(chunk: Uint8Array, at: number): number {
    const end = Math.min(chunk.length, at + this.#payloadLeft);
    this.#payloadLeft -= end - at;
    this.#sink.payload(at === 0 && end === chunk.length ? chunk : chunk.subarray(at, end), this.#payloadLeft === 0);
    return end;
  }

  #takeHeader(chunk: Uint8Array, at: number): number {
    if (this.#partialBytes === 0 && chunk.length - at >= headerBytes) {
      this.#accept(chunk, at);
      return at + headerBytes;
    }
    const end = Math.min(chunk.length, at + headerBytes - this.#partialBytes);
    this.#partial.set(chunk.subarray(at, end), this.#partialBytes);
    this.#partialBytes += end - at;
    if (this.#partialBytes === headerBytes) {
      this.#partialBytes = 0;
      this.#accept(this.#partial, 0);
    }
    return end;
  }

  #accept(bytes: Uint8Array, at: number): void {
    const header = this.#header;
    header.type = bytes[at + 1]!;
    header.flags = readUint16(bytes, at + 2);
    header.stream = readUint32(bytes, at + 4);
    header.length = readUint32(bytes, at + 8);
    checkHeader(bytes[at]!, header);
    if (header.type === frameType.data) this.#payloadLeft = header.length;
    this.#sink.header(header);
  }
}

function checkHeader(version: number, { type, flags, stream, length }: FrameHeader): void {
  if (version !== frameVersion) throw new ProtocolError('bad-version', `frame version ${version}, not ${frameVersion}`);
  if (type > frameType.goAway) throw new ProtocolError('unknown-type', `frame type ${type}`);
  if ((flags & ~allFlags) !== 0) throw new ProtocolError('unknown-flag', `frame flags ${flags}`);
  if (type <= frameType.windowUpdate && stream === 0)
    throw new ProtocolError('bad-stream', 'a stream frame without a stream');
  if (type >= frameType.ping && stream !== 0) throw new ProtocolError('bad-stream', 'a connection frame with a stream');
  if (type !== frameType.data) return;
  const bytesMax = (flags & frameFlag.rst) !== 0 ? resetReasonBytesMax : limits.frameBytesMax;
  if (length > bytesMax)
    throw new ProtocolError('bad-length', `${length} data bytes in a frame; ${bytesMax} is the most`);
}

const readUint16 = (bytes: Uint8Array, at: number): number => bytes[at]! * 0x100 + bytes[at + 1]!;
const readUint32 = (bytes: Uint8Array, at: number): number =>
  readUint16(bytes, at) * 0x10000 + readUint16(bytes, at + 2);
