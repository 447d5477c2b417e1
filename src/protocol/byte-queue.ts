/**
 * The bytes of one incomplete message, in one buffer that doubles: cheap however small the pieces come in, and never more than about
 * twice what really arrived. What `take` returns is the caller's; the queue starts afresh.
 */
export class ByteQueue {
  #bytes = new Uint8Array(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(bytes: Uint8Array): void {
    const wanted = this.#length + bytes.length;
    if (wanted > this.#bytes.length) this.#grow(wanted);
    this.#bytes.set(bytes, this.#length);
    this.#length = wanted;
  }

  /** What is there so far, as a view that is good until the next `push` or `take`. */
  peek(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  take(): Uint8Array {
    const bytes = this.peek();
    this.#bytes = new Uint8Array(0);
    this.#length = 0;
    return bytes;
  }

  #grow(wanted: number): void {
    const grown = new Uint8Array(Math.max(64, wanted, this.#bytes.length * 2));
    grown.set(this.peek());
    this.#bytes = grown;
  }
}
