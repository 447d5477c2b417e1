import { writable, type Duplex, type Flow, type Taker } from './duplex.ts';
import { flowFrom } from './flow.ts';

/**
 * Joins two byte streams until both directions have ended: what client and agent do with bytes that only the gateway reads.
 * Half-close passes through; a reset of one side resets the other. Resolves when both are closed; never rejects.
 */
export async function pump(a: Duplex, b: Duplex): Promise<void> {
  new Carrier(a, b).start();
  new Carrier(b, a).start();
  await Promise.all([a.closed, b.closed]);
}

/** One direction. A piece that can be written at once passes within the call that brought it: no promise, no turn of the event loop. */
class Carrier implements Taker {
  readonly #from: Duplex;
  readonly #to: Duplex;
  #flow: Flow | undefined;
  readonly #more = () => this.#flow!.more();
  readonly #failed = (error: unknown) => this.failed(error);

  constructor(from: Duplex, to: Duplex) {
    this.#from = from;
    this.#to = to;
  }

  start(): void {
    this.#flow = flowFrom(this.#from, this);
  }

  take(bytes: Uint8Array): boolean {
    const written = this.#to.write(bytes);
    if (written === writable) return true;
    written.then(this.#more, this.#failed);
    return false;
  }

  ended(): void {
    this.#to.end();
  }

  failed(error: unknown): void {
    const reason = error instanceof Error ? error.message : 'reset';
    this.#from.reset(reason);
    this.#to.reset(reason);
  }
}
