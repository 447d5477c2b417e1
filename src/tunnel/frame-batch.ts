import { headerBytes, writeHeader } from './frame.ts';

/** A few hundred small frames: memory is asked for that often, and a batch seldom has to move. */
const slabBytes = 64 * 1024;

const smallBytesMax = 16 * 1024;

/** What the last batch of any connection left of its slab: a connection where nothing waits to be sent holds no memory for it. */
let spare: Buffer | undefined;

/** Frames that leave together, written one behind the other: no object and no piece of memory for each. */
export class FrameBatch {
  #slab: Buffer | undefined;
  #bytes = 0;
  readonly #wholeBytes: number;

  /** A batch that outgrows a slab gets room for so many bytes at once. */
  constructor(wholeBytes: number) {
    this.#wholeBytes = wholeBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(type: number, flags: number, stream: number, length: number, data?: Uint8Array): void {
    const at = this.#bytes;
    const dataBytes = data === undefined ? 0 : data.length;
    const end = at + headerBytes + dataBytes;
    const slab = this.#slab !== undefined && end <= this.#slab.length ? this.#slab : this.#withRoomFor(end);
    writeHeader(slab, at, type, flags, stream, length);
    if (dataBytes > 0) slab.set(data!, at + headerBytes);
    this.#bytes = end;
  }

  /** The frames so far, in memory that nothing else is written to; the batch is empty again. */
  take(): Buffer {
    const slab = this.#slab!;
    const taken = slab.subarray(0, this.#bytes);
    if (slab.buffer.byteLength === slabBytes) spare = slab.subarray(this.#bytes);
    this.#slab = undefined;
    this.#bytes = 0;
    return taken;
  }

  #withRoomFor(bytes: number): Buffer {
    const grown = bytes <= smallBytesMax ? smallSlab(bytes) : Buffer.allocUnsafeSlow(this.#sizeFor(bytes));
    if (this.#slab !== undefined) grown.set(this.#slab.subarray(0, this.#bytes));
    return (this.#slab = grown);
  }

  #sizeFor(bytes: number): number {
    return bytes <= this.#wholeBytes ? this.#wholeBytes : bytes * 2;
  }
}

function smallSlab(bytes: number): Buffer {
  const slab = spare !== undefined && bytes <= spare.length ? spare : Buffer.allocUnsafeSlow(slabBytes);
  spare = undefined;
  return slab;
}
