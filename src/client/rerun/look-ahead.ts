import type { Entry } from '../../recording/entry.ts';

/** What is looked at before its turn is in memory: enough for the answers of all streams that a session may have. */
const entriesMax = 4096;
const bytesMax = 8 * 1024 * 1024;

/** Entries in order, with a look at those to come. */
export class LookAhead {
  readonly #entries: AsyncIterator<Entry>;
  readonly #seen: Entry[] = [];
  #bytes = 0;

  constructor(entries: AsyncIterable<Entry>) {
    this.#entries = entries[Symbol.asyncIterator]();
  }

  /** The next one, from here, that is looked for, within bounds; it stays where it is. */
  async find(is: (entry: Entry) => boolean): Promise<Entry | undefined> {
    const found = this.#seen.find(is);
    if (found) return found;
    while (this.#seen.length < entriesMax && this.#bytes < bytesMax) {
      const next = await this.#entries.next();
      if (next.done) return undefined;
      this.#seen.push(next.value);
      this.#bytes += next.value.header.payloadBytes;
      if (is(next.value)) return next.value;
    }
    return undefined;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Entry> {
    try {
      for (;;) {
        const first = this.#seen.shift();
        if (first) {
          this.#bytes -= first.header.payloadBytes;
          yield first;
          continue;
        }
        const next = await this.#entries.next();
        if (next.done) return;
        yield next.value;
      }
    } finally {
      await this.#entries.return?.();
    }
  }
}
