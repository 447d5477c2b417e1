import type { Duplex } from '../../src/shared/duplex.ts';

/** One side of a stream that lives in memory: reads give the pieces in turn and then the end; what is written is kept. */
export class MemoryDuplex implements Duplex {
  readonly written: Uint8Array[] = [];
  readonly closed = Promise.resolve();
  readonly #pieces: Uint8Array[];
  #at = 0;

  constructor(pieces: Uint8Array[]) {
    this.#pieces = pieces.filter(({ length }) => length > 0);
  }

  async read(): Promise<Uint8Array | null> {
    return this.#pieces[this.#at++] ?? null;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.written.push(bytes);
  }

  end(): void {}
  reset(): void {}
}
