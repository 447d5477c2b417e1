import type { Duplex, Flow, Taker } from '../shared/duplex.ts';
import { flowFrom } from '../shared/flow.ts';
import { WrappedDuplex } from '../shared/wrapped-duplex.ts';

/** The stream with bytes put back in front, which were read too far. */
export function prefixed(bytes: Uint8Array, duplex: Duplex): Duplex {
  if (bytes.length === 0) return duplex;
  // A stream of many messages is wrapped anew for each: without this the wrappers would pile up.
  const inner = duplex instanceof PrefixedDuplex && duplex.exhausted ? duplex.inner : duplex;
  return new PrefixedDuplex(bytes, inner);
}

class PrefixedDuplex extends WrappedDuplex {
  #prefix: Uint8Array | undefined;

  constructor(prefix: Uint8Array, inner: Duplex) {
    super(inner);
    this.#prefix = prefix;
  }

  get exhausted(): boolean {
    return this.#prefix === undefined;
  }

  read(): Promise<Uint8Array | null> {
    const prefix = this.#prefix;
    if (prefix === undefined) return this.inner.read();
    this.#prefix = undefined;
    return Promise.resolve(prefix);
  }

  flow(taker: Taker): Flow {
    const prefix = this.#prefix;
    if (prefix === undefined) return flowFrom(this.inner, taker);
    this.#prefix = undefined;
    if (taker.take(prefix)) return flowFrom(this.inner, taker);
    let flow: Flow | undefined;
    return {
      more: () => {
        if (flow) flow.more();
        else flow = flowFrom(this.inner, taker);
      },
    };
  }

  override reset(reason: string): void {
    this.#prefix = undefined;
    super.reset(reason);
  }
}
