import { createHash } from 'node:crypto';
import { fdatasyncSync, openSync, unlinkSync, writeSync } from 'node:fs';
import type { Flow, Taker } from '../src/shared/duplex.ts';
import { flowFrom } from '../src/shared/flow.ts';
import { whenTurnEnds } from '../src/shared/turn.ts';
import { WrappedDuplex } from '../src/shared/wrapped-duplex.ts';

const fileBytes = 64 * 1024 * 1024;
const digestBytes = 32;
/** Pieces of one stream that wait for the disk or for room behind them. */
const aheadMax = 32;

/**
 * The least that a durable record can be: what came, and a chain of SHA-256 over it, in a file that was written before, with one fdatasync for
 * all that came in a turn of the event loop. Nothing is understood, nobody is named, no outcome is told apart from a statement. It is for
 * the floor of the benchmarks, and is written over from the start when it is full.
 */
export class LeastRecord {
  readonly #file: number;
  readonly #buffer = Buffer.allocUnsafe(1024 * 1024);
  #chain = Buffer.alloc(digestBytes);
  #used = 0;
  #at = 0;
  #waiting: (() => void)[] = [];
  readonly #commitTurn = () => this.#commit();

  constructor(path: string) {
    this.#file = openSync(path, 'wx+');
    unlinkSync(path);
    for (let at = 0; at < fileBytes; at += this.#buffer.length)
      writeSync(this.#file, this.#buffer.fill(0), 0, undefined, at);
    fdatasyncSync(this.#file);
  }

  append(bytes: Uint8Array, durable?: () => void): void {
    const size = digestBytes + bytes.length;
    if (this.#used + size > this.#buffer.length) this.#commit();
    if (this.#used === 0) whenTurnEnds('record', this.#commitTurn);
    this.#chain = createHash('sha256').update(this.#chain).update(bytes).digest();
    this.#buffer.set(this.#chain, this.#used);
    this.#buffer.set(bytes, this.#used + digestBytes);
    this.#used += size;
    if (durable) this.#waiting.push(durable);
  }

  #commit(): void {
    if (this.#used === 0) return;
    if (this.#at + this.#used > fileBytes) this.#at = 0;
    writeSync(this.#file, this.#buffer, 0, this.#used, this.#at);
    fdatasyncSync(this.#file);
    this.#at += this.#used;
    this.#used = 0;
    const durable = this.#waiting;
    this.#waiting = [];
    for (const act of durable) act();
  }
}

/** A stream whose pieces are handed over once they are durable, or, of answers, once they are appended. */
export class RecordedStream extends WrappedDuplex {
  readonly #record: LeastRecord;
  readonly #waits: boolean;

  constructor(inner: WrappedDuplex['inner'], record: LeastRecord, waits: boolean) {
    super(inner);
    this.#record = record;
    this.#waits = waits;
  }

  /** It is only ever taken from by `flow`. */
  read(): Promise<never> {
    return Promise.reject(new Error('not read'));
  }

  flow(taker: Taker): Flow {
    const ahead = new Ahead(taker, this.#record, this.#waits);
    ahead.flow = flowFrom(this.inner, ahead);
    return ahead;
  }
}

class Ahead implements Taker, Flow {
  flow!: Flow;
  readonly #to: Taker;
  readonly #record: LeastRecord;
  readonly #waits: boolean;
  /** Recorded and not handed over: those that are durable stand in `#ready`. */
  #count = 0;
  readonly #ready: Uint8Array[] = [];
  #hasRoom = true;
  #isFull = false;
  #isOver = false;

  constructor(to: Taker, record: LeastRecord, waits: boolean) {
    this.#to = to;
    this.#record = record;
    this.#waits = waits;
  }

  take(bytes: Uint8Array): boolean {
    this.#count++;
    if (this.#waits) this.#record.append(bytes, () => this.#hand(bytes));
    else {
      this.#record.append(bytes);
      this.#hand(bytes);
    }
    this.#isFull = this.#count >= aheadMax;
    return !this.#isFull;
  }

  more(): void {
    this.#hasRoom = true;
    this.#handOver();
  }

  ended(): void {
    this.#isOver = true;
    this.#handOver();
  }

  failed(error: Error): void {
    this.#to.failed(error);
  }

  #hand(bytes: Uint8Array): void {
    this.#ready.push(bytes);
    this.#handOver();
  }

  #handOver(): void {
    while (this.#hasRoom && this.#ready.length > 0) {
      this.#count--;
      this.#hasRoom = this.#to.take(this.#ready.shift()!);
    }
    if (this.#isOver && this.#count === 0) return this.#to.ended();
    if (!this.#isFull || this.#count > 0) return;
    this.#isFull = false;
    this.flow.more();
  }
}
