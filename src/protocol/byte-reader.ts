import { ProtocolError } from '../shared/errors.ts';

/** Reads one message's body, front to back, checking every length before it is used. Big-endian. Slices share the body's memory. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  uint8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  int16(): number {
    return this.#view.getInt16(this.#advance(2));
  }

  uint16(): number {
    return this.#view.getUint16(this.#advance(2));
  }

  int32(): number {
    return this.#view.getInt32(this.#advance(4));
  }

  uint32(): number {
    return this.#view.getUint32(this.#advance(4));
  }

  bytes(length: number): Uint8Array {
    const start = this.#advance(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** Up to the next NUL, which is consumed and not returned. */
  cstring(): Uint8Array {
    const end = this.#bytes.indexOf(0, this.#at);
    if (end < 0) throw new ProtocolError('bad-message', 'a string without its end');
    const value = this.#bytes.subarray(this.#at, end);
    this.#at = end + 1;
    return value;
  }

  rest(): Uint8Array {
    return this.bytes(this.left);
  }

  /** Surplus bytes are an error: what is not decoded is not forwarded. */
  done(): void {
    if (this.left > 0) throw new ProtocolError('surplus-bytes', `${this.left} bytes after the end of a message`);
  }

  #advance(length: number): number {
    if (length < 0 || length > this.left)
      throw new ProtocolError('bad-message', 'a length that points past the end of its message');
    const start = this.#at;
    this.#at += length;
    return start;
  }
}
