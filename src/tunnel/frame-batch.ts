import { headerBytes, writeHeader } from './frame.ts';

/** A few hundred small frames: memory is asked for that seldom. */
const slabBytes = 64 * 1024;
/** Data at least this long stays where it is: to copy it, and to have memory for the copy, costs more than a piece of its own. */
const copyBytesMax = 16 * 1024;

/** What the last batch of any connection left of its slab: a connection where nothing waits to be sent holds no memory for it. */
let spare: Buffer | undefined;

/** Frames that leave together: small ones are written one behind the other, without an object or a piece of memory for each. */
export class FrameBatch {
  #pieces: Uint8Array[] = [];
  #slab: Buffer | undefined;
  /** The part of the slab that belongs to no piece yet. */
  #start = 0;
  #end = 0;
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  add(type: number, flags: number, stream: number, length: number, data?: Uint8Array): void {
    const dataBytes = data === undefined ? 0 : data.length;
    const isCopied = dataBytes < copyBytesMax;
    const needed = isCopied ? headerBytes + dataBytes : headerBytes;
    if (this.#slab === undefined || this.#end + needed > this.#slab.length) this.#startSlab(needed);
    writeHeader(this.#slab!, this.#end, type, flags, stream, length);
    if (isCopied && dataBytes > 0) this.#slab!.set(data!, this.#end + headerBytes);
    this.#end += needed;
    this.#bytes += headerBytes + dataBytes;
    if (isCopied) return;
    this.#endPiece();
    this.#pieces.push(data!);
  }

  /** The frames so far, in memory that nothing else is written to; the batch is empty again. */
  take(): Uint8Array[] {
    this.#endPiece();
    const pieces = this.#pieces;
    spare = this.#slab?.subarray(this.#end);
    this.#slab = undefined;
    this.#pieces = [];
    this.#bytes = 0;
    return pieces;
  }

  #endPiece(): void {
    if (this.#end > this.#start) this.#pieces.push(this.#slab!.subarray(this.#start, this.#end));
    this.#start = this.#end;
  }

  #startSlab(needed: number): void {
    this.#endPiece();
    this.#slab = spare !== undefined && needed <= spare.length ? spare : Buffer.allocUnsafeSlow(slabBytes);
    spare = undefined;
    this.#start = 0;
    this.#end = 0;
  }
}
