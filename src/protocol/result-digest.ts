import { createHash, hash, type Hash } from 'node:crypto';

/** Most results are a row or two: up to here they are kept and hashed in one step, which costs a third. */
const heldBytesMax = 2048;
const digestBytes = 32;
/** A loop copies so much sooner than a call does. */
const shortBytes = 128;

/**
 * Where the beginning of a result is kept, one for all: results come one after the other, most of them whole in one piece. The owner
 * gives way when another one begins.
 */
const held = { bytes: Buffer.allocUnsafeSlow(heldBytesMax), owner: undefined as ResultDigest | undefined };

/** SHA-256 of a result's bytes, in the order in which they come. */
export class ResultDigest {
  /** How many of the bytes held are this one's, which is the owner then. */
  #heldBytes = 0;
  #digest: Hash | undefined = undefined;

  /** Keeps no reference to the bytes. */
  add(bytes: Uint8Array, start = 0, end = bytes.length): void {
    const length = end - start;
    if (this.#digest === undefined && this.#heldBytes + length <= heldBytesMax) return this.#hold(bytes, start, length);
    this.#give().update(length === bytes.length ? bytes : bytes.subarray(start, end));
  }

  /** Nothing is added after this. */
  end(): Uint8Array {
    // As a string, and then into memory of ours: a buffer that the library makes costs twice the hash.
    const text = this.#digest?.digest('binary') ?? hash('sha256', held.bytes.subarray(0, this.#heldBytes), 'binary');
    if (held.owner === this) held.owner = undefined;
    const digest = Buffer.allocUnsafe(digestBytes);
    digest.write(text, 'latin1');
    return digest;
  }

  #hold(bytes: Uint8Array, start: number, length: number): void {
    if (held.owner !== this) {
      if (held.owner !== undefined) held.owner.#give();
      held.owner = this;
    }
    const at = this.#heldBytes;
    if (length > shortBytes) held.bytes.set(bytes.subarray(start, start + length), at);
    else for (let index = 0; index < length; index++) held.bytes[at + index] = bytes[start + index]!;
    this.#heldBytes = at + length;
  }

  /** What was held goes into a hash that grows. */
  #give(): Hash {
    if (this.#digest !== undefined) return this.#digest;
    this.#digest = createHash('sha256');
    if (this.#heldBytes > 0) this.#digest.update(held.bytes.subarray(0, this.#heldBytes));
    this.#heldBytes = 0;
    if (held.owner === this) held.owner = undefined;
    return this.#digest;
  }
}
