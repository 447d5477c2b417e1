import { ProtocolError } from '../shared/errors.ts';

/** Shared by all that is empty: nothing of it can be changed. */
const none: Uint8Array = Buffer.alloc(0);

/** Names are short: up to here a loop finds their end sooner than a call does. */
const shortBytes = 32;

/**
 * Reads one message's body, which lies from `start` to `end` in `bytes`, front to back, checking every length before it is used.
 * Big-endian. Slices share that memory. No view is made of the body: there is a reader for every message.
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  get left(): number {
    return this.#end - this.#at;
  }

  uint8(): number {
    return this.#bytes[this.#advance(1)]!;
  }

  int16(): number {
    return (this.uint16() << 16) >> 16;
  }

  uint16(): number {
    const at = this.#advance(2);
    return (this.#bytes[at]! << 8) | this.#bytes[at + 1]!;
  }

  /** Shifts give a signed number, as it is asked for here; a length that is negative is refused by whoever uses it. */
  int32(): number {
    const at = this.#advance(4);
    const bytes = this.#bytes;
    return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
  }

  uint32(): number {
    return this.int32() >>> 0;
  }

  bytes(length: number): Uint8Array {
    const start = this.#advance(length);
    return length === 0 ? none : this.#bytes.subarray(start, start + length);
  }

  /** Up to the next NUL, which is consumed and not returned. */
  cstring(): Uint8Array {
    const start = this.#at;
    const end = this.#nul();
    this.#at = end + 1;
    return start === end ? none : this.#bytes.subarray(start, end);
  }

  /** The same where nobody wants it. */
  skipCstring(): void {
    this.#at = this.#nul() + 1;
  }

  skip(length: number): void {
    this.#advance(length);
  }

  // Lists grow with what is really there: a count alone allocates nothing.

  /** A count and so many int16. */
  int16s(): number[] {
    const numbers: number[] = [];
    for (let count = this.uint16(); count > 0; count--) numbers.push(this.int16());
    return numbers;
  }

  /** A count and so many uint32. */
  uint32s(): number[] {
    const numbers: number[] = [];
    for (let count = this.uint16(); count > 0; count--) numbers.push(this.uint32());
    return numbers;
  }

  rest(): Uint8Array {
    return this.bytes(this.left);
  }

  /** Surplus bytes are an error: what is not decoded is not forwarded. */
  done(): void {
    if (this.#at < this.#end) throw surplus(this.left);
  }

  #advance(length: number): number {
    const start = this.#at;
    if (length < 0 || length > this.#end - start) throw pastTheEnd();
    this.#at = start + length;
    return start;
  }

  #nul(): number {
    const bytes = this.#bytes;
    const soon = Math.min(this.#at + shortBytes, this.#end);
    for (let at = this.#at; at < soon; at++) if (bytes[at] === 0) return at;
    const found = bytes.indexOf(0, soon);
    if (found < 0 || found >= this.#end) throw new ProtocolError('bad-message', 'a string without its end');
    return found;
  }
}

const surplus = (bytes: number): ProtocolError =>
  new ProtocolError('surplus-bytes', `${bytes} bytes after the end of a message`);

const pastTheEnd = (): ProtocolError =>
  new ProtocolError('bad-message', 'a length that points past the end of its message');
