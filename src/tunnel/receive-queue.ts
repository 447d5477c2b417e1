/** Pieces at least this large are kept as they came; smaller ones are gathered. */
const gatherBytesMax = 16 * 1024;
const gatherBytesMin = 256;
/** A reader that is slower than the peer (it waits for a disk) gets so much at a time: what it waits for is paid for fewer times. */
const stepBytesMax = 128 * 1024;

/**
 * Bytes of one stream that came and were not read yet. A small piece is a view that would keep the whole buffer that the transport
 * read alive, and a peer may send its credit a byte at a time: small pieces are copied together, so that memory held stays within a
 * small factor of the bytes held.
 */
export class ReceiveQueue {
  readonly #pieces: Uint8Array[] = [];
  /** The gathering buffer behind the last piece, and how much of it is used. */
  #gather: Uint8Array | undefined;
  #gathered = 0;

  get empty(): boolean {
    return this.#pieces.length === 0;
  }

  push(bytes: Uint8Array): void {
    if (bytes.length >= gatherBytesMax && bytes.length * 2 >= bytes.buffer.byteLength) {
      this.#gather = undefined;
      this.#pieces.push(bytes);
      return;
    }
    for (let at = 0; at < bytes.length;) at += this.#append(bytes, at);
  }

  /** The next bytes, as many as one step may take; the caller owns them. */
  shift(): Uint8Array | undefined {
    if (this.#pieces.length <= 1) {
      this.#gather = undefined;
      return this.#pieces.pop();
    }
    const pieces = this.#pieces.splice(0, this.#countOfStep());
    if (this.#pieces.length === 0) this.#gather = undefined;
    return pieces.length > 1 ? joined(pieces) : pieces[0];
  }

  #countOfStep(): number {
    let bytes = 0;
    const over = this.#pieces.findIndex((piece, index) => (bytes += piece.length) > stepBytesMax && index > 0);
    return over < 0 ? this.#pieces.length : over;
  }

  clear(): void {
    this.#pieces.length = 0;
    this.#gather = undefined;
  }

  #append(bytes: Uint8Array, at: number): number {
    if (!this.#gather || this.#gathered === this.#gather.length) this.#startGathering(bytes.length - at);
    const gather = this.#gather!;
    const count = Math.min(bytes.length - at, gather.length - this.#gathered);
    gather.set(bytes.subarray(at, at + count), this.#gathered);
    this.#gathered += count;
    this.#pieces[this.#pieces.length - 1] = gather.subarray(0, this.#gathered);
    return count;
  }

  #startGathering(need: number): void {
    const grown = this.#gather ? this.#gather.length * 2 : gatherBytesMin;
    this.#gather = new Uint8Array(Math.min(gatherBytesMax, Math.max(grown, need)));
    this.#gathered = 0;
    this.#pieces.push(this.#gather);
  }
}

/** In memory of its own: a view of what others share would keep all of that alive. */
function joined(pieces: Uint8Array[]): Uint8Array {
  const whole = Buffer.allocUnsafeSlow(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
