/** mulberry32: the same numbers for the same seed, everywhere. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** 0 up to, not including, `below`. */
  int(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * below);
  }

  oneIn(count: number): boolean {
    return this.int(count) === 0;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.int(from.length)]!;
  }
}
