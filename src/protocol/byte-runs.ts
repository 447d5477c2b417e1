/**
 * Joins slices that lie one behind the other in the same memory, without copying: messages of one chunk become one write, one entry or
 * one step of a digest. Order is kept; `flush` hands over what is left.
 */
export class ByteRuns {
  readonly #emit: (bytes: Uint8Array) => void;
  #buffer: ArrayBufferLike | undefined;
  #start = 0;
  #end = 0;

  constructor(emit: (bytes: Uint8Array) => void) {
    this.#emit = emit;
  }

  add(bytes: Uint8Array): void {
    if (this.#buffer !== bytes.buffer || this.#end !== bytes.byteOffset) {
      this.flush();
      this.#buffer = bytes.buffer;
      this.#start = bytes.byteOffset;
    }
    this.#end = bytes.byteOffset + bytes.length;
  }

  flush(): void {
    if (!this.#buffer) return;
    const run = new Uint8Array(this.#buffer, this.#start, this.#end - this.#start);
    this.#buffer = undefined;
    this.#emit(run);
  }
}
