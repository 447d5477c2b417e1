import { newSecret } from '../../store/registry/secret.ts';

/** Things that wait for somebody to come back with their secret, each good once; in memory, because they live for minutes. */
export class Pending<Thing> {
  readonly #waiting = new Map<string, { thing: Thing; endsAt: number }>();
  readonly #now: () => number;
  readonly #lifeMillis: number;
  readonly #max: number;

  constructor(now: () => number, lifeMillis: number, max: number) {
    this.#now = now;
    this.#lifeMillis = lifeMillis;
    this.#max = max;
  }

  put(thing: Thing): string {
    const secret = newSecret();
    this.#waiting.set(secret, { thing, endsAt: this.#now() + this.#lifeMillis });
    // Insertion order is the order of their ends.
    for (const [oldest, { endsAt }] of this.#waiting) {
      if (endsAt > this.#now() && this.#waiting.size <= this.#max) break;
      this.#waiting.delete(oldest);
    }
    return secret;
  }

  take(secret: unknown): Thing | undefined {
    if (typeof secret !== 'string') return undefined;
    const found = this.#waiting.get(secret);
    this.#waiting.delete(secret);
    return found && found.endsAt > this.#now() ? found.thing : undefined;
  }
}
