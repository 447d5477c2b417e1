import { createHash, hash, type Hash } from 'node:crypto';

/** Most results are a row or two: up to here they are kept and hashed in one step, which costs a third. */
const heldBytesMax = 2048;

/** SHA-256 of a result's bytes, in the order in which they come. */
export class ResultDigest {
  readonly #held: Uint8Array[] = [];
  #heldBytes = 0;
  #digest: Hash | undefined;

  add(bytes: Uint8Array): void {
    if (!this.#digest && this.#heldBytes + bytes.length <= heldBytesMax) {
      this.#held.push(Uint8Array.prototype.slice.call(bytes)); // a view would keep alive all that came with it
      this.#heldBytes += bytes.length;
      return;
    }
    this.#digest ??= this.#begin();
    this.#digest.update(bytes);
  }

  /** Nothing is added after this. */
  end(): Buffer {
    return this.#digest?.digest() ?? hash('sha256', Buffer.concat(this.#held, this.#heldBytes), 'buffer');
  }

  #begin(): Hash {
    const digest = createHash('sha256');
    for (const bytes of this.#held.splice(0)) digest.update(bytes);
    return digest;
  }
}
