import type { Socket } from 'node:net';
import type { Duplex as NodeDuplex } from 'node:stream';
import { StreamReset, writable, type Duplex, type Flow, type Taker } from './duplex.ts';
import { assert } from './errors.ts';
import { countCarried } from './heap.ts';
import type { ReadBuffer } from './read-buffer.ts';
import { TakerSlot } from './taker-slot.ts';

/** What of a socket is used; a pair of streams in memory has it too. */
type SocketLike = NodeDuplex & Partial<Pick<Socket, 'resetAndDestroy'>>;

/** A socket as a Duplex. */
export interface SocketDuplex extends Duplex {
  /** Lets go of the socket, so that something else (TLS) can have it; gives back bytes that came and were not read. */
  detach(): Uint8Array;
}

/**
 * A socket (made with `allowHalfOpen: true`) as a Duplex with back-pressure both ways: at most one chunk is held beyond what the
 * socket itself buffers; `write` waits while the system's buffer is full. `reads` is what the socket was made with, if it was.
 */
export function socketDuplex(socket: SocketLike, reads?: ReadBuffer): SocketDuplex {
  return new SocketAsDuplex(socket, reads);
}

interface Waiter<T> {
  promise: Promise<T>;
  resolve(value: T): void;
  reject(error: Error): void;
}

class SocketAsDuplex implements SocketDuplex, Flow {
  readonly closed: Promise<void>;
  readonly #socket: SocketLike;
  readonly #held: Uint8Array[] = [];
  #reader: Waiter<Uint8Array | null> | undefined;
  #taker: TakerSlot | undefined;
  #drain: Waiter<void> | undefined;
  #remoteEnded = false;
  #ended = false;
  #failure: StreamReset | undefined;
  /** What was written in this turn of the event loop: the first goes at once, what follows goes together. */
  #turn: 'quiet' | 'wrote' | 'gathers' = 'quiet';
  readonly #listeners: [string, (...args: never[]) => void][];

  constructor(socket: SocketLike, reads: ReadBuffer | undefined) {
    this.#socket = socket;
    let resolveClosed!: () => void;
    this.closed = new Promise((resolve) => (resolveClosed = resolve));
    this.#listeners = [
      ['data', (bytes: Uint8Array) => this.#onData(bytes)],
      ['end', () => this.#onEnd()],
      ['drain', () => this.#onDrain()],
      ['error', (error: Error) => this.#fail(error.message)],
      [
        'close',
        () => {
          this.#fail('the connection closed');
          resolveClosed();
        },
      ],
    ];
    if (reads) reads.take = (bytes) => this.#onRead(bytes);
    for (const [event, listener] of this.#listeners) socket.on(event, listener as (...args: unknown[]) => void);
    if (socket.destroyed) {
      this.#fail('the connection closed');
      resolveClosed();
    }
  }

  read(): Promise<Uint8Array | null> {
    assert(!this.#reader && !this.#taker, 'one read at a time');
    const bytes = this.#held.shift();
    if (bytes) {
      if (this.#held.length === 0) this.#socket.resume();
      return Promise.resolve(bytes);
    }
    if (this.#remoteEnded) return Promise.resolve(null);
    if (this.#failure) return Promise.reject(this.#failure);
    this.#reader = waiter();
    return this.#reader.promise;
  }

  flow(taker: Taker): Flow {
    assert(!this.#reader && !this.#taker, 'one read at a time');
    this.#taker = new TakerSlot(taker);
    this.more();
    return this;
  }

  more(): void {
    const taker = this.#taker;
    if (!taker?.open()) return;
    while (taker.hasRoom) {
      const bytes = this.#held.shift();
      if (bytes === undefined) break;
      taker.give(bytes);
    }
    if (!taker.hasRoom) return;
    if (this.#remoteEnded) taker.ended();
    else if (this.#failure) taker.failed(this.#failure);
    else this.#socket.resume();
  }

  write(bytes: Uint8Array): Promise<void> {
    if (this.#failure) return Promise.reject(this.#failure);
    if (this.#ended) return Promise.reject(new StreamReset('the stream was written to after its end'));
    this.#gather();
    if (this.#socket.write(bytes)) return writable;
    this.#drain ??= waiter();
    return this.#drain.promise;
  }

  /** A system call for each of many small pieces would cost more than the pieces. */
  #gather(): void {
    if (this.#turn === 'quiet') {
      this.#turn = 'wrote';
      if (wrote.push(this) === 1) process.nextTick(endTurns);
    } else if (this.#turn === 'wrote') {
      this.#turn = 'gathers';
      this.#socket.cork();
    }
  }

  endTurn(): void {
    if (this.#turn === 'gathers') this.#socket.uncork();
    this.#turn = 'quiet';
  }

  end(): void {
    if (this.#ended || this.#failure) return;
    this.#ended = true;
    this.#socket.end();
  }

  reset(reason: string): void {
    if (this.#socket.destroyed) return;
    this.#held.length = 0;
    this.#remoteEnded = false;
    this.#fail(reason);
    try {
      this.#socket.resetAndDestroy!(); // the other side learns that this is no orderly end
    } catch {
      this.#socket.destroy(); // unix sockets, TLS and pairs in memory know no reset
    }
  }

  detach(): Uint8Array {
    this.endTurn();
    for (const [event, listener] of this.#listeners) this.#socket.off(event, listener as (...args: unknown[]) => void);
    this.#socket.pause();
    const buffered = this.#socket.read() as Uint8Array | null;
    return Buffer.concat(buffered ? [...this.#held, buffered] : this.#held);
  }

  #onData(bytes: Uint8Array): void {
    countCarried(bytes.length);
    if (!this.#onRead(bytes)) this.#socket.pause();
  }

  /** False: no more for now. */
  #onRead(bytes: Uint8Array): boolean {
    const taker = this.#taker;
    if (taker?.hasRoom) {
      taker.give(bytes);
      return taker.hasRoom;
    }
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader) reader.resolve(bytes);
    else this.#held.push(bytes);
    return reader !== undefined;
  }

  #onEnd(): void {
    this.#remoteEnded = true;
    this.#reader?.resolve(null);
    this.#reader = undefined;
    if (this.#taker?.hasRoom) this.#taker.ended();
  }

  #onDrain(): void {
    this.#drain?.resolve();
    this.#drain = undefined;
  }

  #fail(reason: string): void {
    this.#failure ??= new StreamReset(reason);
    this.#reader?.reject(this.#failure);
    this.#reader = undefined;
    this.#drain?.reject(this.#failure);
    this.#drain = undefined;
    if (this.#taker?.hasRoom) this.#taker.failed(this.#failure);
  }
}

/** Those that wrote in this turn: one callback for all of them. */
let wrote: SocketAsDuplex[] = [];

function endTurns(): void {
  const all = wrote;
  wrote = [];
  for (const duplex of all) duplex.endTurn();
}

function waiter<T>(): Waiter<T> {
  let settle!: Omit<Waiter<T>, 'promise'>;
  const promise = new Promise<T>((resolve, reject) => (settle = { resolve, reject }));
  promise.catch(() => undefined); // who does not wait learns of a reset by the next call
  return { promise, ...settle };
}
