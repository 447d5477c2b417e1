import { gzipSync } from 'node:zlib';
import { limits } from '../../shared/limits.ts';
import type { EventSink, Sequence } from '../event.ts';
import type { Definition } from './names.ts';

/** Uncompressed size at which kept messages become an entry: small enough to be read back at once, large enough to compress. */
const entryBytes = 64 * 1024;

/**
 * Keeps the beginning of one statement's result: whole messages, up to limits.resultBytesKeptMax. Once a message does not fit, nothing
 * more is kept. Where entries begin depends on the messages alone, not on how they were cut on their way.
 */
export class KeptRows {
  readonly #of: Sequence;
  readonly #sink: EventSink;
  #pieces: Uint8Array[] = [];
  /** Whole messages in `#pieces`, and the beginning of one. */
  #bytes = 0;
  #partialBytes = 0;
  #keptBytes = 0;
  #isFull = false;
  /** Rows that are kept. */
  rows = 0;

  constructor(of: Sequence, sink: EventSink) {
    this.#of = of;
    this.#sink = sink;
  }

  /** Nothing more is kept. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** A piece of a message, which may be all of it; copied. Returns true if an entry was appended. */
  add(bytes: Uint8Array, isLast: boolean, isRow: boolean): boolean {
    if (this.#isFull) return false;
    this.#partialBytes += bytes.length;
    this.#pieces.push(Uint8Array.prototype.slice.call(bytes));
    if (this.#keptBytes + this.#partialBytes > limits.resultBytesKeptMax) return this.#full();
    if (!isLast) return false;
    if (isRow) this.rows++;
    this.#bytes += this.#partialBytes;
    this.#keptBytes += this.#partialBytes;
    this.#partialBytes = 0;
    return this.#bytes >= entryBytes && this.flush();
  }

  /** Appends what is kept and not appended yet; the beginning of a message goes with it only if the whole message is there. */
  flush(): boolean {
    const kept = Buffer.concat(this.#pieces).subarray(0, this.#bytes);
    this.#pieces = [];
    this.#partialBytes = 0;
    this.#bytes = 0;
    if (kept.length === 0) return false;
    this.#sink.append({ kind: 'rows', of: this.#of, messages: gzipSync(kept), messageBytes: kept.length });
    return true;
  }

  #full(): boolean {
    this.#isFull = true;
    return this.flush();
  }
}

/** Of all statements of a stream together. */
const columnBytesMax = 1024 * 1024;

/** RowDescriptions by statement: the rows of an Execute come without one. The oldest are forgotten first; then rows have no names. */
export class KnownColumns {
  readonly #messages = new Map<Definition, Uint8Array>();
  #bytes = 0;

  get(definition: Definition | undefined): Uint8Array | undefined {
    return definition && this.#messages.get(definition);
  }

  set(definition: Definition, message: Uint8Array): void {
    this.#forget(definition);
    this.#messages.set(definition, Uint8Array.prototype.slice.call(message));
    this.#bytes += message.length;
    for (const [oldest] of this.#messages) {
      if (this.#bytes <= columnBytesMax) break;
      this.#forget(oldest);
    }
  }

  #forget(definition: Definition): void {
    this.#bytes -= this.#messages.get(definition)?.length ?? 0;
    this.#messages.delete(definition);
  }
}
