/**
 * One two-way byte stream with back-pressure and half-close: a TCP socket, a stream of a tunnel, a pair in memory.
 * DESIGN's "stream" is one of these plus its meaning; Node's own streams do not appear above this interface.
 */
export interface Duplex {
  /**
   * The next bytes, in order, never empty; `null` once the other side has ended its half. At most one read at a time.
   * The caller owns the buffer. Rejects after a reset (by either side).
   */
  read(): Promise<Uint8Array | null>;
  /**
   * Takes the bytes (the caller must not change them afterwards); resolves when more may be written. Rejects after a reset. Where that is
   * at once, it gives `writable` itself: who asks for it by identity need not wait.
   */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends our half after everything written; reading goes on. Idempotent. */
  end(): void;
  /** Aborts both directions; the other side's read rejects with the reason where the transport can carry one. Idempotent. */
  reset(reason: string): void;
  /** Resolves when both halves have ended or after a reset; never rejects. */
  readonly closed: Promise<void>;
  /**
   * In the place of all further reads: hands every piece over as it comes, in a call instead of a promise. Only `flowFrom` calls it, which
   * serves streams without it as well.
   */
  flow?(taker: Taker): Flow;
}

/** Takes the bytes of a stream as they come. Its calls come from within the transport's, so they must not throw. */
export interface Taker {
  /** The next bytes, never empty, its own from here on. False: no more of them before `more` is called. */
  take(bytes: Uint8Array): boolean;
  /** The other side has ended its half. Neither this nor `failed` comes while bytes wait. */
  ended(): void;
  /** The stream was reset, by either side. */
  failed(error: Error): void;
}

/** What the taker of a stream may ask for. */
export interface Flow {
  /** The taker has room again. Not to be called from within `take`. */
  more(): void;
}

/** What `write` gives when more may be written at once. */
export const writable: Promise<void> = Promise.resolve();

/** What `read` and `write` reject with after a reset. */
export class StreamReset extends Error {
  override readonly name = 'StreamReset';
}

/** Resets the stream unless it closes, or the timer that is given is cleared, before. */
export function resetAfter(duplex: Duplex, millis: number, reason: string): NodeJS.Timeout {
  const timer = setTimeout(() => duplex.reset(reason), millis);
  void duplex.closed.then(() => clearTimeout(timer));
  return timer;
}
