import { StreamReset, type Duplex } from '../shared/duplex.ts';
import { assert, UserError } from '../shared/errors.ts';
import { limits } from '../shared/limits.ts';
import { createMux, type Mux, type MuxOptions } from './mux.ts';

/** One tunnel or link, ready for streams. */
export interface Connection {
  /** Opens a stream. Throws StreamReset when the connection is closed. */
  open(): Duplex;
  /** The next stream that the other side opens; rejects when there is none in time, or when the connection closes. */
  accept(): Promise<Duplex>;
  /** Takes every further stream of the other side, those that came already first. Until it is set few may wait. */
  onStream: ((stream: Duplex) => void) | undefined;
  /** Sends what is queued, says go-away, closes. Bytes that came before stay readable. Idempotent. */
  close(reason: string): void;
  /** Resolves with the reason when the connection is closed: what either side gave to `close`, or `lost`. Never rejects. */
  readonly closed: Promise<string>;
  /** Open streams of both sides. */
  readonly streams: number;
}

/** A multiplexer over any transport. */
export abstract class MuxConnection implements Connection {
  abstract readonly closed: Promise<string>;
  protected readonly mux: Mux;
  readonly #arrivals: Arrivals;

  /** `waitingMax`: streams that may wait before somebody takes them. */
  constructor(waitingMax: number, options: Omit<MuxOptions, 'onStream'>) {
    this.#arrivals = new Arrivals(waitingMax);
    this.mux = createMux({ ...options, onStream: (stream) => this.#arrived(stream) });
  }

  get streams(): number {
    return this.mux.streams;
  }

  get onStream(): ((stream: Duplex) => void) | undefined {
    return this.#arrivals.onStream;
  }

  set onStream(take: ((stream: Duplex) => void) | undefined) {
    this.#arrivals.onStream = take;
  }

  open(): Duplex {
    return this.mux.open();
  }

  accept(): Promise<Duplex> {
    return this.#arrivals.next(this.closed);
  }

  close(reason: string): void {
    this.mux.close(reason);
  }

  #arrived(stream: Duplex): void {
    if (!this.#arrivals.add(stream)) this.mux.close('streams were opened before the handshake was over');
  }
}

/** Streams of the other side between their arrival and somebody who takes them. */
class Arrivals {
  readonly #waitingMax: number;
  readonly #waiting: Duplex[] = [];
  #acceptor: ((stream: Duplex) => void) | undefined;
  #onStream: ((stream: Duplex) => void) | undefined;

  constructor(waitingMax: number) {
    this.#waitingMax = waitingMax;
  }

  get onStream(): ((stream: Duplex) => void) | undefined {
    return this.#onStream;
  }

  set onStream(take: ((stream: Duplex) => void) | undefined) {
    this.#onStream = take;
    if (take) for (const stream of this.#waiting.splice(0)) take(stream);
  }

  /** False when too many wait already. */
  add(stream: Duplex): boolean {
    const take = this.#acceptor ?? this.#onStream;
    if (take) {
      take(stream);
      return true;
    }
    return this.#waiting.push(stream) <= this.#waitingMax;
  }

  next(closed: Promise<string>): Promise<Duplex> {
    assert(!this.#acceptor, 'one accept at a time');
    const waiting = this.#waiting.shift();
    if (waiting) return Promise.resolve(waiting);
    return new Promise<Duplex>((resolve, reject) => {
      const deadline = setTimeout(() => reject(tooSlow()), limits.handshakeMillisMax);
      void closed.then((reason) => {
        clearTimeout(deadline);
        reject(new StreamReset(reason));
      });
      this.#acceptor = (stream) => {
        clearTimeout(deadline);
        this.#acceptor = undefined;
        resolve(stream);
      };
    });
  }
}

const tooSlow = () =>
  new UserError('HOOP_LIMIT', `the other side opened no stream within ${limits.handshakeMillisMax / 1000} s`, {
    next: 'connect again',
  });
