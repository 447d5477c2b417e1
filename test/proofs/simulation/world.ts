import type { Clock, Timers } from '../../../src/shared/clock.ts';
import { seededRandom } from '../random.ts';

interface Happening {
  at: number;
  order: number;
  act: () => void;
  life: number;
}

/**
 * Everything that a seed decides: when what happens. Time passes only from one happening to the next; between two of them all that can
 * go on at once (promises) goes on. A process is a *life*: what an ended one had planned never happens.
 */
export class World {
  readonly random: () => number;
  #micros = 0;
  #queue: Happening[] = [];
  #order = 0;
  /** The wall clock is set now and then, backwards too. */
  #skewMicros = 0;
  life = 0;
  readonly violations: string[] = [];

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  readonly clock: Clock = {
    nowMicros: () => 1_750_000_000_000_000 + this.#micros + this.#skewMicros,
    monotonicMicros: () => this.#micros,
  };

  below(bound: number): number {
    return Math.floor(this.random() * bound);
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  bytes(size: number): Uint8Array {
    const drawn = new Uint8Array(size);
    for (let at = 0; at < size; at++) drawn[at] = this.below(256);
    return drawn;
  }

  get millis(): number {
    return this.#micros / 1000;
  }

  /** What must never be was seen: the first such thing is what counts. */
  violated(what: string): void {
    this.violations.push(`after ${this.millis} ms, in life ${this.life}: ${what}`);
  }

  setWallClock(): void {
    this.#skewMicros = this.below(4_000_000) - 2_000_000;
  }

  after(millis: number, act: () => void, life = this.life): () => void {
    const happening = { at: this.#micros + Math.round(millis * 1000), order: this.#order++, act, life };
    let place = this.#queue.length;
    while (place > 0 && isBefore(happening, this.#queue[place - 1]!)) place--;
    this.#queue.splice(place, 0, happening);
    return () => void (this.#queue = this.#queue.filter((other) => other !== happening));
  }

  /** For one process. */
  timers(life: number): Timers {
    return {
      after: (millis, act) => this.after(millis, act, life),
      soon: (act) => void this.after(0, act, life),
    };
  }

  /** Everything that runs ends here and now; whoever waits for it waits for ever. */
  endLife(): void {
    this.life++;
    this.#queue = [];
  }

  /** Lets things happen until `done` is true or nothing is planned. */
  async run(done: () => boolean): Promise<void> {
    await turn();
    while (!done() && this.violations.length === 0) {
      const next = this.#queue.shift();
      if (!next) return;
      this.#micros = next.at;
      if (next.life === this.life) next.act();
      await turn();
    }
  }
}

const isBefore = (a: Happening, b: Happening): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

/** Until no promise can go on: all that waits now waits for the world. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
