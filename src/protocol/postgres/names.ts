import type { Sequence } from '../event.ts';

/** What a prepared statement's name stands for, as the client sent it. */
export interface Definition {
  /** Entry of the Parse. */
  parse: Sequence;
  /** The Parse message's text and types, for parsing it again. */
  text: Uint8Array;
  types: number[];
  /** As the server told when the statement was described. */
  serverTypes?: number[];
}

/** What a portal's name stands for. */
export interface Portal {
  /** Entry of the Bind. */
  bind: Sequence;
  /** False once other SQL ran since the Bind, which may have closed it and declared a cursor of that name. */
  isCertain: boolean;
}

/**
 * Name → meaning, as the server will see it. **Changes count only when the server has answered them**: within the segment (up to a
 * Sync) in which a change was sent, later messages may build on it, because they are skipped if it fails; after the Sync nobody knows
 * until the answer comes (`isUndecided`).
 */
export class Names<T> {
  readonly #answered = new Map<string, T>();
  /** Sent, not answered: per segment, in order. `null` forgets the name. */
  readonly #sent: { segment: number; name: string; meaning: T | null }[] = [];

  /** Something sent in an earlier, unanswered segment changes this name. */
  isUndecided(name: string, segment: number): boolean {
    return this.#sent.some((change) => change.name === name && change.segment < segment);
  }

  get(name: string, segment: number): T | undefined {
    const change = this.#sent.findLast((sent) => sent.name === name && sent.segment === segment);
    return change ? (change.meaning ?? undefined) : this.#answered.get(name);
  }

  send(name: string, meaning: T | null, segment: number): void {
    this.#sent.push({ segment, name, meaning });
  }

  /** The server confirmed the oldest change that was sent of this segment. */
  confirm(): void {
    const change = this.#sent.shift();
    if (!change) return;
    if (change.meaning === null) this.#answered.delete(change.name);
    else this.#answered.set(change.name, change.meaning);
  }

  /** The oldest change that was sent was skipped after an error. */
  skip(): void {
    this.#sent.shift();
  }

  /** The server forgot this one, or all (portals at the end of a transaction). */
  forget(name?: string): void {
    if (name === undefined) this.#answered.clear();
    else this.#answered.delete(name);
  }

  /** All meanings that a name may have now. */
  *all(): IterableIterator<T> {
    yield* this.#answered.values();
    for (const { meaning } of this.#sent) if (meaning !== null) yield meaning;
  }
}
