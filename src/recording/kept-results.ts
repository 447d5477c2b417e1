import { gunzipSync } from 'node:zlib';
import type { RowsEvent } from '../protocol/event.ts';
import { limits } from '../shared/limits.ts';
import type { Statement } from '../shared/api.ts';

/** A protocol's messages as tables. */
export type RenderResult = (
  messages: Uint8Array,
  resultFormats: readonly number[],
) => NonNullable<Statement['results']>;

/** What a statement gave back, as entries have it, until the statement is shown. */
export class KeptResults {
  readonly #entries: { messages: Uint8Array; messageBytes: number }[] = [];
  #bytes = 0;
  #messageBytes = 0;

  /** Compressed. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many bytes it takes. A recording may come from anywhere: no more is taken than a gateway keeps. */
  add({ messages, messageBytes }: RowsEvent): number {
    this.#messageBytes += messageBytes;
    if (messageBytes === 0 || this.#messageBytes > limits.resultBytesKeptMax) return 0;
    // A copy: an entry shares the memory of the MiB that it was read in.
    this.#entries.push({ messages: Uint8Array.from(messages), messageBytes });
    this.#bytes += messages.length;
    return messages.length;
  }

  /** Undefined where nothing was kept, or nobody can read it. */
  render(render: RenderResult, resultFormats: readonly number[]): Statement['results'] {
    if (this.#entries.length === 0) return undefined;
    try {
      const messages = this.#entries.map((entry) =>
        gunzipSync(entry.messages, { maxOutputLength: entry.messageBytes }),
      );
      return render(Buffer.concat(messages), resultFormats);
    } catch {
      return undefined;
    }
  }
}
