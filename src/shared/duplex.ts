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
  /** Takes the bytes (the caller must not change them afterwards); resolves when more may be written. Rejects after a reset. */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends our half after everything written; reading goes on. Idempotent. */
  end(): void;
  /** Aborts both directions; the other side's read rejects with the reason where the transport can carry one. Idempotent. */
  reset(reason: string): void;
  /** Resolves when both halves have ended or after a reset; never rejects. */
  readonly closed: Promise<void>;
}

/** What `write` gives where nothing has to be waited for. Whoever sees that it is this one goes on at once, which saves a turn for each message. */
export const written: Promise<void> = Promise.resolve();

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
