import { UserError } from '../../shared/errors.ts';
import { limits } from '../../shared/limits.ts';

export interface AttemptRule {
  max: number;
  windowMillis: number;
}

/** Counts failures per key in fixed windows, in memory: a restart forgives. */
export class Attempts {
  readonly #windows = new Map<string, { count: number; endsAt: number }>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Throws HOOP_LIMIT when the key has used up its tries; says when to come back. */
  check(key: string, rule: AttemptRule, what: string): void {
    const window = this.#windows.get(key);
    if (!window || !this.isUsedUp(key, rule)) return;
    const minutes = Math.max(1, Math.ceil((window.endsAt - this.#now()) / 60_000));
    throw new UserError('HOOP_LIMIT', `too many ${what}`, {
      next: `try again in ${minutes} minute${minutes === 1 ? '' : 's'}`,
    });
  }

  isUsedUp(key: string, rule: AttemptRule): boolean {
    const window = this.#windows.get(key);
    return window !== undefined && window.endsAt > this.#now() && window.count >= rule.max;
  }

  count(key: string, rule: AttemptRule): void {
    const now = this.#now();
    const window = this.#windows.get(key);
    if (window && window.endsAt > now) {
      window.count += 1;
      return;
    }
    this.#windows.delete(key);
    this.#windows.set(key, { count: 1, endsAt: now + rule.windowMillis });
    if (this.#windows.size > limits.triesKeysMax) this.#forget(now);
  }

  /** Takes one count back: it was no failure. The others stay, or a guesser would clear them with an account of their own. */
  forgive(key: string): void {
    const window = this.#windows.get(key);
    if (window) window.count -= 1;
  }

  forget(key: string): void {
    this.#windows.delete(key);
  }

  #forget(now: number): void {
    for (const [key, { endsAt }] of this.#windows) if (endsAt <= now) this.#windows.delete(key);
    for (const key of this.#windows.keys()) {
      if (this.#windows.size <= limits.triesKeysMax) return;
      this.#windows.delete(key);
    }
  }
}
