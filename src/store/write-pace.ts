import { limits } from '../shared/limits.ts';

/** How many of the writes that are remembered may have been slow: p99 of the window. */
const slowMax = 1;
/** Longer than this the event loop should not stand still for a disk. */
const slowMillis = 2;
/** One like this says that the disk is another one than it was. */
const stalledMillis = 10;

/**
 * Whether a small write may be waited for on the event loop's own thread. A quick disk answers sooner than the way through the thread
 * pool and back takes, which costs ten further system calls; a slow one would hold up every stream. So it is measured: on the thread
 * only while p99 of the last hundred writes is at most 2 ms, and not for the next hundred after one of over 10 ms.
 */
export class WritePace {
  readonly #window: Uint8Array;
  #writes = 0;
  #slow = 0;

  constructor(windowWrites: number = limits.quickAfterWrites) {
    this.#window = new Uint8Array(windowWrites);
  }

  get isQuick(): boolean {
    return this.#writes >= this.#window.length && this.#slow <= slowMax;
  }

  /** Tells how long a write took until it was durable, by either way. */
  took(millis: number): void {
    if (millis > stalledMillis) return this.#startAgain();
    const place = this.#writes % this.#window.length;
    const isSlow = millis > slowMillis ? 1 : 0;
    this.#slow += isSlow - this.#window[place]!;
    this.#window[place] = isSlow;
    this.#writes++;
  }

  #startAgain(): void {
    this.#window.fill(0);
    this.#writes = 0;
    this.#slow = 0;
  }
}
