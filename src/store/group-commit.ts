import { systemTimers, type Timers } from '../shared/clock.ts';
import { UserError } from '../shared/errors.ts';
import { encodeRecordHead, recordHeadBytes, writeRecord } from './journal-format.ts';

/** Bytes that go to one segment in one write and one fdatasync. */
export class Batch {
  readonly segment: number;
  /** Where in the segment the first byte goes. */
  readonly offset: number;
  readonly buffers: Buffer[] = [];
  bytes = 0;
  readonly #chunks: Chunks;
  #taken: Buffer[] = [];
  #chunk: Buffer | undefined;
  #used = 0;

  constructor(segment: number, offset: number, chunks = new Chunks()) {
    this.segment = segment;
    this.offset = offset;
    this.#chunks = chunks;
  }

  /** Copies what is small, so that a batch is few buffers; keeps what is large, which the caller gives away. */
  add(bytes: Buffer): void {
    this.bytes += bytes.length;
    if (bytes.length > chunkBytes / 4) {
      this.#endChunk();
      this.buffers.push(bytes);
      return;
    }
    this.#room(bytes.length).set(bytes, this.#used);
    this.#used += bytes.length;
  }

  /** A chunk that takes so many bytes at `#used`. */
  #room(bytes: number): Buffer {
    if (this.#chunk && this.#used + bytes <= this.#chunk.length) return this.#chunk;
    this.#endChunk();
    this.#chunk = this.#chunks.take(this.bytes > smallChunkBytes);
    this.#taken.push(this.#chunk);
    return this.#chunk;
  }

  /** One record of a session, with its head before it (journal-format.ts). Copies what is small; keeps a large entry, as `add` does. */
  addRecord(sessionId: Uint8Array, entry: Buffer): void {
    const bytes = recordHeadBytes + entry.length;
    if (bytes > chunkBytes / 4) {
      this.add(encodeRecordHead(sessionId, entry));
      return this.add(entry);
    }
    this.bytes += bytes;
    const chunk = this.#room(bytes);
    writeRecord(sessionId, entry, chunk, this.#used);
    this.#used += bytes;
  }

  /** Nothing is added after this. */
  finish(): Buffer[] {
    this.#endChunk();
    return this.buffers;
  }

  /** It is on disk: nobody reads its buffers any more. */
  release(): void {
    this.buffers.length = 0;
    for (const chunk of this.#taken) this.#chunks.giveBack(chunk);
    this.#taken = [];
  }

  #endChunk(): void {
    if (this.#chunk && this.#used > 0) this.buffers.push(this.#chunk.subarray(0, this.#used));
    this.#chunk = undefined;
    this.#used = 0;
  }
}

const chunkBytes = 256 * 1024;
const smallChunkBytes = chunkBytes / 16;

/** Chunks that are used again: what is allocated for each batch has the garbage collector count and free it, many hundred times a second. */
class Chunks {
  readonly #spare = { small: [] as Buffer[], large: [] as Buffer[] };

  take(isLarge: boolean): Buffer {
    const [spare, bytes] = isLarge ? [this.#spare.large, chunkBytes] : [this.#spare.small, smallChunkBytes];
    return spare.pop() ?? Buffer.allocUnsafeSlow(bytes);
  }

  giveBack(chunk: Buffer): void {
    const spare = chunk.length === chunkBytes ? this.#spare.large : this.#spare.small;
    if (spare.length < sparesMax) spare.push(chunk);
  }
}

/** One that is being written, one that is being filled. */
const sparesMax = 2;

export interface GroupCommitParts {
  /** Durable when it returns undefined, or when what it returns resolves. Never called twice at a time. */
  write: (batch: Batch) => Promise<void> | undefined;
  pendingBytesMax: number;
  durableMillisMax: number;
  /** Entries that nobody waits for become durable with the next flush, at the latest after this. */
  lazyMillis: number;
  /** Called once, when nothing more can be made durable. */
  onFence: (error: UserError) => void;
  timers?: Timers;
}

interface Waiting {
  promise: Promise<void>;
  resolve: () => void;
  reject: (error: Error) => void;
}

/**
 * Group commit: whatever was appended in one turn of the event loop, or while a flush is under way, is written and fsynced
 * together, and all who wait for it resume together, in the order in which they asked. After one failure, nothing goes on.
 */
export class GroupCommit {
  readonly #parts: GroupCommitParts;
  readonly #timers: Timers;
  #queue: Batch[] = [];
  #pendingBytes = 0;
  #next: Waiting | undefined;
  #current: Promise<void> | undefined;
  #flushing = false;
  #scheduled = false;
  /** Stays set when a flush comes before it: a timer for each statement would cost more than one that finds nothing to do. */
  #stopLazyTimer: (() => void) | undefined;
  #fenced: UserError | undefined;
  readonly #chunks = new Chunks();

  constructor(parts: GroupCommitParts) {
    this.#parts = parts;
    this.#timers = parts.timers ?? systemTimers;
  }

  get fenced(): UserError | undefined {
    return this.#fenced;
  }

  /** The batch that takes appends now, if one was begun and is not being written yet. */
  get openBatch(): Batch | undefined {
    return this.#queue.at(-1);
  }

  /** Begins a batch; the one before it takes no more. */
  begin(segment: number, offset: number): Batch {
    const batch = new Batch(segment, offset, this.#chunks);
    this.#queue.push(batch);
    return batch;
  }

  /** Throws when so many bytes may not be appended; before anything is changed. */
  admit(bytes: number): void {
    if (this.#fenced) throw this.#fenced;
    if (this.#pendingBytes + bytes <= this.#parts.pendingBytesMax) return;
    throw new UserError('HOOP_RECORDER', `the record lags: ${this.#pendingBytes} bytes are not on disk yet`, {
      next: 'the disk of the data directory is too slow for this load',
    });
  }

  /** Says that bytes were added to the open batch. */
  added(bytes: number): void {
    this.#pendingBytes += bytes;
    if (!this.#flushing && !this.#scheduled)
      this.#stopLazyTimer ??= this.#timers.after(this.#parts.lazyMillis, () => this.#flushLazily());
  }

  #flushLazily(): void {
    this.#stopLazyTimer = undefined;
    this.durable().catch(() => undefined); // those who wait hear of it
  }

  /** Resolves when everything added so far is durable; rejects when that can no longer be. */
  durable(): Promise<void> {
    if (this.#fenced) return Promise.reject(this.#fenced);
    if (this.#queue.length === 0) return this.#current ?? resolved;
    this.#next ??= waiting();
    if (!this.#flushing && !this.#scheduled) {
      this.#scheduled = true;
      this.#timers.soon(() => void this.#flush());
    }
    return this.#next.promise;
  }

  fence(cause: unknown, message: string): void {
    if (this.#fenced) return;
    this.#fenced = new UserError('HOOP_RECORDER', message, {
      next: 'look at the disk of the data directory; when it takes writes again, new sessions can be opened, and what was durable is kept',
      cause,
    });
    this.#next?.reject(this.#fenced);
    this.#stopLazyTimer?.();
    this.#stopLazyTimer = undefined;
    this.#queue = [];
    this.#parts.onFence(this.#fenced);
  }

  async #flush(): Promise<void> {
    this.#scheduled = false;
    this.#flushing = true;
    while (this.#next && !this.#fenced) {
      const batches = this.#queue;
      const done = this.#next;
      this.#queue = [];
      this.#next = undefined;
      this.#current = done.promise;
      const writing = this.#writeAll(batches);
      if (writing) await writing;
      if (this.#fenced) done.reject(this.#fenced);
      else done.resolve();
    }
    this.#current = undefined;
    this.#flushing = false;
    if (this.#queue.length > 0) this.added(0); // appended meanwhile, and nobody waits
  }

  /** Undefined when all of it was written at once, as a quick disk does: then nothing has to be watched. */
  #writeAll(batches: Batch[]): Promise<void> | undefined {
    for (const [index, batch] of batches.entries()) {
      const writing = this.#begin(batch);
      if (writing) return this.#writeRest(writing, batches.slice(index));
      if (this.#fenced) return undefined;
      this.#written(batch);
    }
    return undefined;
  }

  #written(batch: Batch): void {
    this.#pendingBytes -= batch.bytes;
    batch.release();
  }

  #begin(batch: Batch): Promise<void> | undefined {
    try {
      return this.#parts.write(batch);
    } catch (error) {
      this.#failed(error);
      return undefined;
    }
  }

  /** Resolves when all is durable, or when the fence stands. */
  async #writeRest(first: Promise<void>, batches: Batch[]): Promise<void> {
    let giveUp!: () => void;
    const tooLong = new Promise<void>((resolve) => (giveUp = resolve));
    const stopWaiting = this.#timers.after(this.#parts.durableMillisMax, () => {
      this.#failed(new Error(`no answer from the disk in ${this.#parts.durableMillisMax} ms`));
      giveUp();
    });
    try {
      for (const [index, batch] of batches.entries()) {
        const writing = index === 0 ? first : this.#begin(batch);
        if (writing) await Promise.race([writing, tooLong]);
        if (this.#fenced) return;
        this.#written(batch);
      }
    } catch (error) {
      this.#failed(error);
    } finally {
      stopWaiting();
    }
  }

  #failed(error: unknown): void {
    this.fence(error, `the record cannot be written: ${(error as Error).message}`);
  }
}

const resolved = Promise.resolve();

function waiting(): Waiting {
  let resolve!: () => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  promise.catch(() => undefined); // those who wait hear of it; with nobody waiting it is no unhandled rejection
  return { promise, resolve, reject };
}
