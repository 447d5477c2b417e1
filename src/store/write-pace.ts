import { limits } from '../shared/limits.ts';

/** How many of the writes on the event loop's thread that are remembered may have been slow: p99 of the window. */
const slowMax = 1;
/** Longer than this the event loop should not stand still for a disk. */
const slowMillis = 2;
/** One like this says that the disk is another one than it was. */
const stalledMillis = 10;
/** Part of the thread pool's writes that has to be quick before the event loop's thread tries: the rest may have waited for a processor. */
const quickPart = 1 / 4;

/**
 * Whether a small write may be waited for on the event loop's own thread. A quick disk answers sooner than the way through the thread
 * pool and back takes, which costs ten further system calls; a slow one would hold up every stream. So it is measured. Through the pool
 * nobody can tell the disk from a busy machine, but a slow disk makes every write slow: when a quarter of a hundred were quick, the thread
 * tries. There only the disk counts (`Disk.runningMillis`), and it goes on while p99 of the last hundred is at most 2 ms and none took over
 * 10 ms; else the pool has the next hundred.
 */
export class WritePace {
  /** Of the way that is taken now: 1 for each slow write. */
  readonly #window: Uint8Array;
  #writes = 0;
  #slow = 0;
  #isQuick = false;

  constructor(windowWrites: number = limits.quickAfterWrites) {
    this.#window = new Uint8Array(windowWrites);
  }

  get isQuick(): boolean {
    return this.#isQuick;
  }

  /** Tells how long a write took until it was durable, by the way that `isQuick` had said. */
  took(millis: number): void {
    const place = this.#writes % this.#window.length;
    const isSlow = millis > slowMillis ? 1 : 0;
    this.#slow += isSlow - this.#window[place]!;
    this.#window[place] = isSlow;
    this.#writes++;
    if (this.#isQuick) {
      if (this.#slow > slowMax || millis > stalledMillis) this.#go(false);
    } else if (this.#writes >= this.#window.length) {
      const quick = this.#window.length - this.#slow;
      if (quick >= this.#window.length * quickPart) this.#go(true);
    }
  }

  #go(isQuick: boolean): void {
    this.#isQuick = isQuick;
    this.#window.fill(0);
    this.#writes = 0;
    this.#slow = 0;
  }
}
