import { eventsOf, seqOf } from '../recording/entry-codec.ts';
import type { SessionRecorder } from './session-recorder.ts';

/** Entries that wait for a reader who is slower than the session; past it he reads on from disk. */
const queueBytesMax = 4 * 1024 * 1024;

export interface Followed {
  session: Pick<SessionRecorder, 'onEntry' | 'durable' | 'head'>;
  /** Resolves when the session has ended, however it did. */
  ended: Promise<unknown>;
  /** What is durable by now, from the first entry on. */
  read(): AsyncIterable<Buffer>;
}

/**
 * The entries of a session that runs, each once and in order, as they become durable; to its seal, or until the signal aborts. The queue
 * is opened before the disk is read, and a number that was given is not given again: nothing is missed or repeated where they meet.
 */
export async function* followedEntries(followed: Followed, signal: AbortSignal): AsyncGenerator<Buffer> {
  const { session, ended, read } = followed;
  const queue = new EntryQueue();
  const stop = session.onEntry((entry) => queue.add(entry));
  const over = () => queue.end();
  signal.addEventListener('abort', over);
  void ended.then(over, over);
  let next = 0;
  try {
    for (;;) {
      const isLast = queue.isOver;
      const waiting = queue.take();
      if (!isLast) await session.durable();
      const isBehind = waiting.length === 0 || seqOf(waiting[0]!) > next;
      for await (const entry of isBehind ? read() : waiting) {
        if (signal.aborted) return;
        if (seqOf(entry) < next) continue;
        next = seqOf(entry) + eventsOf(entry);
        yield entry;
      }
      if (isLast || (session.head.isSeal && next > session.head.seq)) return;
      await queue.filled();
    }
  } finally {
    stop();
    signal.removeEventListener('abort', over);
  }
}

class EntryQueue {
  #entries: Buffer[] = [];
  #bytes = 0;
  #wake: (() => void) | undefined;
  isOver = false;

  add(entry: Buffer): void {
    if (this.#bytes > queueBytesMax) this.take(); // the gap shows by the numbers
    this.#entries.push(Buffer.from(entry));
    this.#bytes += entry.length;
    this.#wake?.();
  }

  end(): void {
    this.isOver = true;
    this.#wake?.();
  }

  take(): Buffer[] {
    const taken = this.#entries;
    this.#entries = [];
    this.#bytes = 0;
    return taken;
  }

  /** Resolves when there is something to take, or nothing more will come. */
  async filled(): Promise<void> {
    if (this.#entries.length > 0 || this.isOver) return;
    await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#wake = undefined;
  }
}
