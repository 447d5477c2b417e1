import type { Decoder, Step, StreamEnd } from '../protocol/protocol.ts';
import { writable, type Duplex, type Flow, type Taker } from '../shared/duplex.ts';
import { flowFrom } from '../shared/flow.ts';
import type { HeldBudget } from './held-budget.ts';
import { RecordedSteps } from './recorded-steps.ts';

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
export function relay(parts: RelayParts): Promise<StreamEnd> {
  const { client, resource, decoder, held } = parts;
  return new Promise<StreamEnd>((resolve, reject) => {
    const over: Over = { isOver: false, resolve, reject };
    const fromClient = (bytes: Uint8Array | null) => (bytes ? decoder.client(bytes) : decoder.clientEnded());
    const fromResource = (bytes: Uint8Array | null) => (bytes ? decoder.resource(bytes) : decoder.resourceEnded());
    new Direction(parts, over, fromResource).start(resource);
    new Direction(parts, over, fromClient).start(client);
  }).finally(() => held.release(decoder));
}

/** What both directions know of the end: nothing is taken or forwarded behind it. */
interface Over {
  isOver: boolean;
  resolve: (end: StreamEnd) => void;
  reject: (error: unknown) => void;
}

class Direction implements Taker {
  readonly #parts: RelayParts;
  readonly #over: Over;
  readonly #decode: (bytes: Uint8Array | null) => Step;
  readonly #recorded = new RecordedSteps();
  #from: Duplex | undefined;
  #flow: Flow | undefined;
  /** Steps for which a side had no room: nothing more is taken. */
  #stuck = 0;
  /** Made when first something waits for the disk: most streams are idle most of the time. */
  #onDurable: (() => void) | undefined;
  #onFailed: ((error: unknown) => void) | undefined;
  /** Nothing more is decoded: the other side has ended its half, or what came ends the stream. */
  #isLast = false;
  #isStopped = false;

  constructor(parts: RelayParts, over: Over, decode: (bytes: Uint8Array | null) => Step) {
    this.#parts = parts;
    this.#over = over;
    this.#decode = decode;
  }

  start(from: Duplex): void {
    this.#from = from;
    this.#flow = flowFrom(from, this);
  }

  take(bytes: Uint8Array): boolean {
    if (!this.#over.isOver && !this.#isLast) this.#carry(bytes);
    this.#isStopped = !this.#hasRoom;
    return !this.#isStopped;
  }

  ended(): void {
    if (this.#over.isOver || this.#isLast) return;
    this.#carry(null);
    this.#isLast = true;
    this.#goOn();
  }

  failed(error: unknown): void {
    this.#over.isOver = true;
    this.#over.reject(error);
  }

  #endWith(end: StreamEnd): void {
    this.#over.isOver = true;
    this.#over.resolve(end);
  }

  /** Half-close of the client: answers still come, and the resource's direction ends the stream. */
  #allForwarded(): void {
    if (this.#from === this.#parts.client) this.#parts.resource.end();
    else this.#endWith({ by: 'resource', reason: 'resource-closed' });
  }

  get #hasRoom(): boolean {
    return !this.#over.isOver && this.#stuck === 0 && this.#recorded.hasRoom;
  }

  #carry(bytes: Uint8Array | null): void {
    const { decoder, held, together, durable } = this.#parts;
    try {
      const step = together(this.#decode, bytes);
      held.set(decoder, decoder.heldBytes);
      if (step.end) this.#isLast = true;
      // Answers, most of the time, wait for nothing but the client.
      const needsDisk = step.toResource.length > 0 || step.recordFirst === true;
      if (!needsDisk && this.#recorded.isEmpty) return this.#forward(step);
      this.#recorded.add(step, bytes === null ? 0 : bytes.length);
      this.#onDurable ??= () => this.#becameDurable();
      this.#onFailed ??= (error) => this.failed(error);
      durable().then(this.#onDurable, this.#onFailed); // invariant 1: nothing leaves before this
    } catch (error) {
      this.failed(error);
    }
  }

  /**
   * Order of appends = order of forwarding: all who wait for one flush, of all streams, go on in the order in which they asked. So what is
   * durable is written, also to a side that has no room: it could be overtaken else.
   */
  #becameDurable(): void {
    if (!this.#over.isOver) this.#forward(this.#recorded.take());
    this.#goOn();
  }

  /** The gateway's own answers first: what the resource answers to the rest must not overtake them. */
  #forward(step: Step): void {
    const { client, resource } = this.#parts;
    const told = writeAll(client, step.toClient);
    const sent = writeAll(resource, step.toResource);
    if (!told && !sent) return this.#forwarded(step);
    this.#stuck++;
    Promise.all([told, sent]).then(
      () => this.#written(step),
      (error: unknown) => this.failed(error),
    );
  }

  #written(step: Step): void {
    this.#stuck--;
    this.#forwarded(step);
    this.#goOn();
  }

  #forwarded({ end }: Step): void {
    if (end) this.#endWith(end);
  }

  #goOn(): void {
    if (!this.#hasRoom) return;
    if (this.#isLast) {
      if (this.#recorded.isEmpty) this.#allForwarded();
    } else if (this.#isStopped) {
      this.#isStopped = false;
      this.#flow!.more();
    }
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
