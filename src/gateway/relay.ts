import type { Decoder, Step, StreamEnd } from '../protocol/protocol.ts';
import { writable, type Duplex, type Flow, type Taker } from '../shared/duplex.ts';
import { flowFrom } from '../shared/flow.ts';
import type { HeldBudget } from './held-budget.ts';

export interface RelayParts {
  client: Duplex;
  resource: Duplex;
  decoder: Decoder;
  /** What is appended while `act` runs is one entry of the record, as far as it fits in one: what came of one chunk. */
  together: <Given, Result>(act: (given: Given) => Result, given: Given) => Result;
  /** Resolves when everything that the decoder appended so far is fsynced; rejects when that can no longer be. */
  durable: () => Promise<void>;
  held: HeldBudget;
}

/**
 * Carries one stream, both ways, until it ends: the only place where bytes pass. The two directions are independent, so that a resource
 * that answers slowly never holds up what the client sends, nor the other way round.
 *
 *   client → resource:  take → decode → append, **await durable** → forward
 *   resource → client:  take → decode → append (an outcome lost in a crash is *unknown*) → forward
 *
 * Resolves with the reason of the end; rejects when a side was reset or the record failed. The caller closes both sides.
 */
export async function relay(parts: RelayParts): Promise<StreamEnd> {
  const { client, resource, decoder, held } = parts;
  try {
    return await new Promise<StreamEnd>((resolve, reject) => {
      const over: Over = { end: null, resolve, reject };
      const fromClient = new Direction(parts, over, (bytes) => (bytes ? decoder.client(bytes) : decoder.clientEnded()));
      // Half-close: answers still come, and the resource's direction ends the stream.
      fromClient.onEnded = () => resource.end();
      const fromResource = new Direction(parts, over, (bytes) =>
        bytes ? decoder.resource(bytes) : decoder.resourceEnded(),
      );
      fromResource.onEnded = () => fromResource.endWith({ by: 'resource', reason: 'resource-closed' });
      fromResource.start(resource);
      fromClient.start(client);
    });
  } finally {
    held.release(decoder);
  }
}

/** What both directions know of the end. */
interface Over {
  end: StreamEnd | null;
  resolve: (end: StreamEnd) => void;
  reject: (error: unknown) => void;
}

class Direction implements Taker {
  readonly #parts: RelayParts;
  readonly #over: Over;
  readonly #decode: (bytes: Uint8Array | null) => Step;
  #flow: Flow | undefined;
  /** What waits for the disk, or for a side to take it: nothing more is taken before that. */
  #step: Step | undefined;
  #hasEnded = false;
  onEnded: () => void = () => undefined;

  constructor(parts: RelayParts, over: Over, decode: (bytes: Uint8Array | null) => Step) {
    this.#parts = parts;
    this.#over = over;
    this.#decode = decode;
  }

  start(from: Duplex): void {
    this.#flow = flowFrom(from, this);
  }

  take(bytes: Uint8Array): boolean {
    return this.#over.end === null && this.#carry(bytes);
  }

  ended(): void {
    this.#hasEnded = true;
    if (this.#over.end === null && this.#carry(null)) this.onEnded();
  }

  failed(error: unknown): void {
    this.#over.reject(error);
  }

  endWith(end: StreamEnd): void {
    this.#over.end ??= end;
    this.#over.resolve(this.#over.end);
  }

  /** False while it waits. Order of appends = order of forwarding: all who wait for one fsync go on in the order in which they asked. */
  #carry(bytes: Uint8Array | null): boolean {
    const { decoder, held, together, durable } = this.#parts;
    try {
      const step = together(this.#decode, bytes);
      held.set(decoder, decoder.heldBytes);
      // Answers, most of the time, wait for nothing but the client.
      if (step.toResource.length === 0 && !step.recordFirst) return this.#forward(step);
      this.#step = step;
      durable().then(this.#onDurable, this.#onFailed); // invariant 1: nothing leaves before this
    } catch (error) {
      this.failed(error);
    }
    return false;
  }

  readonly #onFailed = (error: unknown) => this.failed(error);

  readonly #onDurable = () => {
    const step = this.#step!;
    if (this.#over.end === null && this.#forward(step)) this.#goOn();
  };

  /** False while a side has no room. The gateway's own answers first: what the resource answers to the rest must not overtake them. */
  #forward(step: Step): boolean {
    const { client, resource } = this.#parts;
    const told = writeAll(client, step.toClient);
    const sent = writeAll(resource, step.toResource);
    this.#step = step;
    if (!told && !sent) return this.#forwarded();
    Promise.all([told, sent]).then(this.#onWritten, this.#onFailed);
    return false;
  }

  readonly #onWritten = () => {
    if (this.#forwarded()) this.#goOn();
  };

  /** True where the stream goes on. */
  #forwarded(): boolean {
    const { end } = this.#step!;
    this.#step = undefined;
    if (end) this.endWith(end);
    return this.#over.end === null;
  }

  #goOn(): void {
    if (this.#hasEnded) this.onEnded();
    else this.#flow?.more();
  }
}

/**
 * Writes in order without a pause between, so that no other direction's bytes come between; waits for back-pressure once. Undefined
 * where there is nothing to wait for.
 */
function writeAll(to: Duplex, buffers: Uint8Array[]): Promise<void> | undefined {
  let last: Promise<void> | undefined;
  for (const bytes of buffers) {
    last?.catch(() => undefined); // the last write rejects for all of them
    const writing = to.write(bytes);
    last = writing === writable ? undefined : writing;
  }
  return last;
}
