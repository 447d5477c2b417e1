import { StreamReset, writable, type Duplex, type Flow, type Taker } from '../shared/duplex.ts';
import { assert, ProtocolError } from '../shared/errors.ts';
import { TakerSlot } from '../shared/taker-slot.ts';
import { frameFlag } from './frame.ts';
import { ReceiveQueue } from './receive-queue.ts';

/** yamux: the credit of a stream before any window update. */
export const initialWindowBytes = 256 * 1024;

/** What a stream needs of its connection. All calls are synchronous: frames are queued in the order of the calls. */
export interface StreamHost {
  /** False while the transport is full: data waits for its turn (`ready`), all else may still be sent. */
  readonly canSend: boolean;
  readonly windowBytes: number;
  readonly frameBytesMax: number;
  sendData(stream: number, flags: number, bytes: Uint8Array): void;
  sendWindowUpdate(stream: number, flags: number, credit: number): void;
  sendReset(stream: number, flags: number, reason: string): void;
  /** Asks for a turn: `sendNext` will be called, fairly among all streams. */
  ready(stream: MuxStream): void;
  /** Both halves have ended, or the stream was reset. */
  forget(stream: MuxStream): void;
}

const over: Promise<void> = Promise.resolve();
const ignore = (): void => undefined;

interface Waiter<T> {
  resolve(value: T): void;
  reject(error: Error): void;
}

/** One stream of a multiplexer: the caller's `Duplex` on one side, frames on the other. */
export class MuxStream implements Duplex, Flow {
  readonly id: number;
  readonly #host: StreamHost;
  /** Made when first something waits: most streams are idle most of the time. */
  #queue: ReceiveQueue | undefined;
  /** Flag that our first frame still has to carry: SYN of the opener, ACK of the other side. */
  #flagDue: number;
  /** What the peer may still send. */
  #receiveLeft: number;
  /** Handed out to the reader (or never granted yet) and not yet given back as credit. */
  #creditDue: number;
  #sendCredit = initialWindowBytes;
  #reader: Waiter<Uint8Array | null> | undefined;
  #taker: TakerSlot | undefined;
  /** Undefined while nothing waits. */
  #outgoing: Uint8Array[] | undefined;
  #drain: (Waiter<void> & { promise: Promise<void> }) | undefined;
  #ended = false;
  #finSent = false;
  #remoteEnded = false;
  #failure: StreamReset | undefined;
  #isClosed = false;
  /** Made when somebody asks. */
  #closed: Promise<void> | undefined;
  #resolveClosed: (() => void) | undefined;

  constructor(host: StreamHost, id: number, opener: boolean) {
    this.#host = host;
    this.id = id;
    this.#flagDue = opener ? frameFlag.syn : frameFlag.ack;
    // The other side's stream gets its full window when somebody reads it: a flood of opened streams stays cheap.
    this.#receiveLeft = initialWindowBytes;
    this.#creditDue = Math.max(0, host.windowBytes - initialWindowBytes);
    if (opener) this.#giveCredit();
  }

  // ── the caller's side ─────────────────────────────────────────────────────

  get closed(): Promise<void> {
    if (this.#isClosed) return over;
    return (this.#closed ??= new Promise((resolve) => (this.#resolveClosed = resolve)));
  }

  read(): Promise<Uint8Array | null> {
    assert(!this.#reader && !this.#taker, 'one read at a time');
    const bytes = this.#nextQueued();
    if (bytes) {
      this.#handedOut(bytes.length);
      return Promise.resolve(bytes);
    }
    if (this.#remoteEnded) return Promise.resolve(null);
    if (this.#failure) return Promise.reject(this.#failure);
    this.#handedOut(0);
    return new Promise((resolve, reject) => (this.#reader = { resolve, reject }));
  }

  flow(taker: Taker): Flow {
    assert(!this.#reader && !this.#taker, 'one read at a time');
    this.#taker = new TakerSlot(taker);
    this.#handedOut(0);
    this.more();
    return this;
  }

  more(): void {
    const taker = this.#taker;
    if (!taker?.open()) return;
    while (taker.hasRoom) {
      const bytes = this.#nextQueued();
      if (bytes === undefined) break;
      this.#give(taker, bytes);
    }
    if (!taker.hasRoom) return;
    if (this.#remoteEnded) taker.ended();
    else if (this.#failure) taker.failed(this.#failure);
  }

  write(bytes: Uint8Array): Promise<void> {
    if (this.#failure) return Promise.reject(this.#failure);
    if (this.#ended) return Promise.reject(new StreamReset('the stream was written to after its end'));
    const rest = this.#outgoing === undefined ? this.#send(bytes) : bytes;
    if (rest !== undefined && rest.length > 0) {
      (this.#outgoing ??= []).push(rest);
      if (this.#sendCredit > 0) this.#host.ready(this);
    }
    return this.#outgoing === undefined ? writable : this.#drained();
  }

  end(): void {
    if (this.#ended || this.#failure) return;
    this.#ended = true;
    if (this.#outgoing === undefined) this.#sendFin();
  }

  reset(reason: string): void {
    this.#queue = undefined;
    if (this.#failure || (this.#finSent && this.#remoteEnded)) return;
    this.#host.sendReset(this.id, this.#takeFlag(), reason);
    this.#remoteEnded = false;
    this.fail(new StreamReset(reason));
    this.#host.forget(this);
  }

  // ── the connection's side ─────────────────────────────────────────────────

  onData(bytes: Uint8Array): void {
    if (this.#failure) return; // reset under way: the peer does not know yet
    if (this.#remoteEnded) throw new ProtocolError('data-after-end', `data on stream ${this.id} after its end`);
    if (bytes.length > this.#receiveLeft)
      throw new ProtocolError('credit-overrun', `stream ${this.id} was sent more than its credit`);
    this.#receiveLeft -= bytes.length;
    if (this.#taker?.hasRoom) return this.#give(this.#taker, bytes);
    const reader = this.#reader;
    if (!reader) return (this.#queue ??= new ReceiveQueue()).push(bytes);
    this.#reader = undefined;
    this.#handedOut(bytes.length);
    reader.resolve(bytes);
  }

  onCredit(credit: number): void {
    this.#sendCredit += credit;
    if (this.#sendCredit > 0x7fff_ffff)
      throw new ProtocolError('bad-credit', `stream ${this.id} has impossible credit`);
    if (this.#outgoing !== undefined) this.#host.ready(this);
  }

  onEnd(): void {
    if (this.#failure) return;
    if (this.#remoteEnded) throw new ProtocolError('data-after-end', `stream ${this.id} ended twice`);
    this.#remoteEnded = true;
    this.#reader?.resolve(null);
    this.#reader = undefined;
    if (this.#taker?.hasRoom) this.#taker.ended();
    this.#closeIfDone();
  }

  onReset(reason: string): void {
    this.#queue = undefined;
    this.#remoteEnded = false;
    this.fail(new StreamReset(reason));
  }

  /** Everything that waits rejects. Bytes that came before stay readable unless the queue was cleared. */
  fail(failure: StreamReset): void {
    if (this.#failure) return;
    this.#failure = failure;
    this.#outgoing = undefined;
    this.#reader?.reject(failure);
    this.#reader = undefined;
    this.#drain?.reject(failure);
    this.#drain = undefined;
    this.#close();
    if (this.#taker?.hasRoom) this.#taker.failed(failure);
  }

  /** Sends one slice of what waits; true if the stream wants another turn. */
  sendNext(): boolean {
    const bytes = this.#outgoing?.[0];
    if (bytes === undefined || this.#sendCredit === 0) return false;
    const count = Math.min(bytes.length, this.#sendCredit, this.#host.frameBytesMax);
    if (count < bytes.length) this.#outgoing![0] = bytes.subarray(count);
    else if (this.#outgoing!.length > 1) this.#outgoing!.shift();
    else this.#outgoing = undefined;
    this.#sendSlice(count === bytes.length ? bytes : bytes.subarray(0, count));
    if (this.#outgoing !== undefined) return this.#sendCredit > 0;
    this.#drain?.resolve();
    this.#drain = undefined;
    if (this.#ended) this.#sendFin();
    return false;
  }

  // ── inside ────────────────────────────────────────────────────────────────

  /** Sends what credit and transport allow; returns the rest, if there is any. */
  #send(bytes: Uint8Array): Uint8Array | undefined {
    const { frameBytesMax } = this.#host;
    let at = 0;
    while (at < bytes.length && this.#sendCredit > 0 && this.#host.canSend) {
      const count = Math.min(bytes.length - at, this.#sendCredit, frameBytesMax);
      this.#sendSlice(count === bytes.length ? bytes : bytes.subarray(at, at + count));
      at += count;
    }
    if (at === bytes.length) return undefined;
    return at === 0 ? bytes : bytes.subarray(at);
  }

  #sendSlice(bytes: Uint8Array): void {
    this.#sendCredit -= bytes.length;
    this.#host.sendData(this.id, this.#takeFlag(), bytes);
  }

  #sendFin(): void {
    this.#finSent = true;
    this.#host.sendWindowUpdate(this.id, this.#takeFlag() | frameFlag.fin, 0);
    this.#closeIfDone();
  }

  #closeIfDone(): void {
    if (!this.#finSent || !this.#remoteEnded) return;
    this.#host.forget(this);
    this.#close();
  }

  #close(): void {
    this.#isClosed = true;
    this.#resolveClosed?.();
  }

  #give(taker: TakerSlot, bytes: Uint8Array): void {
    this.#handedOut(bytes.length);
    taker.give(bytes);
  }

  /** An empty queue goes: a stream that has one is not idle. */
  #nextQueued(): Uint8Array | undefined {
    const bytes = this.#queue?.shift();
    if (this.#queue?.empty) this.#queue = undefined;
    return bytes;
  }

  #handedOut(count: number): void {
    this.#creditDue += count;
    if (this.#creditDue * 2 >= this.#host.windowBytes && !this.#remoteEnded && !this.#failure) this.#giveCredit();
  }

  #giveCredit(): void {
    this.#host.sendWindowUpdate(this.id, this.#takeFlag(), this.#creditDue);
    this.#receiveLeft += this.#creditDue;
    this.#creditDue = 0;
  }

  #takeFlag(): number {
    const flag = this.#flagDue;
    this.#flagDue = 0;
    return flag;
  }

  #drained(): Promise<void> {
    if (!this.#drain) {
      let waiter!: Waiter<void>;
      const promise = new Promise<void>((resolve, reject) => (waiter = { resolve, reject }));
      promise.catch(ignore); // a writer that does not wait learns of a reset by its next call
      this.#drain = { promise, ...waiter };
    }
    return this.#drain.promise;
  }
}
