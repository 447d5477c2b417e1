import type { Duplex } from './duplex.ts';

/** A stream that is read in another way than the one inside; all else is the inner one's. */
export abstract class WrappedDuplex implements Duplex {
  readonly inner: Duplex;

  constructor(inner: Duplex) {
    this.inner = inner;
  }

  abstract read(): Promise<Uint8Array | null>;

  get closed(): Promise<void> {
    return this.inner.closed;
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.inner.write(bytes);
  }

  end(): void {
    this.inner.end();
  }

  reset(reason: string): void {
    this.inner.reset(reason);
  }
}
