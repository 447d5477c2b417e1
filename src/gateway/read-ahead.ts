import type { Duplex, Flow, Taker } from '../shared/duplex.ts';
import { flowFrom } from '../shared/flow.ts';
import { WrappedDuplex } from '../shared/wrapped-duplex.ts';

/**
 * Reads one piece ahead, so that a client that leaves while it waits for us is seen to leave. `left` resolves when it ended or reset the
 * stream instead of sending something; the piece is given to the first `read`.
 */
export function readAhead(client: Duplex): { client: Duplex; left: Promise<void> } {
  const first = client.read();
  const left = new Promise<void>((resolve) => {
    first.then(
      (bytes) => bytes === null && resolve(),
      () => resolve(),
    );
  });
  return { client: new AheadDuplex(client, first), left };
}

class AheadDuplex extends WrappedDuplex {
  #first: Promise<Uint8Array | null> | undefined;

  constructor(inner: Duplex, first: Promise<Uint8Array | null>) {
    super(inner);
    this.#first = first;
  }

  read(): Promise<Uint8Array | null> {
    const first = this.#first;
    this.#first = undefined;
    return first ?? this.inner.read();
  }

  flow(taker: Taker): Flow {
    const first = this.#first;
    if (!first) return flowFrom(this.inner, taker);
    this.#first = undefined;
    let flow: Flow | undefined;
    const goOn = () => (flow ? flow.more() : void (flow = flowFrom(this.inner, taker)));
    first.then(
      (bytes) => {
        if (bytes === null) taker.ended();
        else if (taker.take(bytes)) goOn();
      },
      (error: Error) => taker.failed(error),
    );
    return { more: goOn };
  }
}
