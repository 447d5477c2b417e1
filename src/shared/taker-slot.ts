import type { Taker } from './duplex.ts';

/** Who takes the bytes of a stream, and whether there is room for more. */
export class TakerSlot {
  #taker: Taker | undefined;
  hasRoom = false;

  constructor(taker: Taker) {
    this.#taker = taker;
  }

  /** There is room again; false where nothing comes any more. */
  open(): boolean {
    this.hasRoom = this.#taker !== undefined;
    return this.hasRoom;
  }

  /** Only while there is room. */
  give(bytes: Uint8Array): void {
    const hasRoom = this.#taker!.take(bytes);
    this.hasRoom = hasRoom && this.#taker !== undefined; // it may have been reset meanwhile
  }

  ended(): void {
    this.#last()?.ended();
  }

  failed(error: Error): void {
    this.#last()?.failed(error);
  }

  /** Nothing comes behind the end or a failure. */
  #last(): Taker | undefined {
    const taker = this.#taker;
    this.#taker = undefined;
    this.hasRoom = false;
    return taker;
  }
}
