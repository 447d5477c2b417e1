import type { OutcomeEvent, Sequence } from '../event.ts';
import { ResultDigest } from '../result-digest.ts';
import type { CommandTag } from './command-tag.ts';
import type { KeptRows } from './kept-rows.ts';

/** What a running statement gave so far. */
export class Result {
  /** Where the resource's owner wants rows kept, and nothing of the statement was withheld. */
  readonly kept: KeptRows | undefined;
  error: { code: string; message: string } | undefined = undefined;
  /** Rows seen since the last tag. */
  rowsSeen = 0;
  /** Rows that the server counted in its tags. */
  #rows = 0;
  /** All of them in one, as the record has it. */
  #tag: string | undefined = undefined;
  #digest: ResultDigest | undefined = undefined;
  #bytes = 0;
  /** Result bytes on their way into the digest: what lies one behind the other is one step. */
  #run: Uint8Array | undefined = undefined;
  #start = 0;
  #end = 0;

  constructor(kept: KeptRows | undefined) {
    this.kept = kept;
  }

  /** Bytes of the result; they are read again until `flush`. */
  add(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes += end - start;
    if (bytes === this.#run && start === this.#end) {
      this.#end = end;
      return;
    }
    this.flush();
    this.#run = bytes;
    this.#start = start;
    this.#end = end;
  }

  /** Before the memory passes on to others. */
  flush(): void {
    if (this.#run === undefined) return;
    this.#digest ??= new ResultDigest();
    this.#digest.add(this.#run, this.#start, this.#end);
    this.#run = undefined;
  }

  /** One command is done. */
  complete({ text, rows }: CommandTag): void {
    this.#tag = this.#tag === undefined ? text : `${this.#tag}; ${text}`;
    // The tag's count is the server's own; rows seen are the fallback (a suspended portal has no tag).
    this.#rows += rows ?? this.rowsSeen;
    this.rowsSeen = 0;
  }

  /** Where something was withheld, an error may quote it and a result repeat it (EXPLAIN does): nobody is to try words against a digest. */
  outcome(of: Sequence, status: OutcomeEvent['status'], durationMicros: number, isWithheld: boolean): OutcomeEvent {
    this.flush();
    const { error } = this;
    const hasBytes = this.#bytes > 0;
    // One literal with every property: the same shape for each, which parts put together would not have.
    return {
      kind: 'outcome',
      of,
      status,
      tag: this.#tag,
      rows: this.#tag !== undefined || this.rowsSeen > 0 ? this.#rows + this.rowsSeen : undefined,
      errorCode: error?.code,
      errorMessage: error && isWithheld ? messageWithheld : error?.message,
      durationMicros,
      resultDigest: hasBytes && !isWithheld ? this.#digest!.end() : undefined,
      resultBytes: hasBytes ? this.#bytes : undefined,
      rowsKept: hasBytes ? this.kept?.rows : undefined,
    };
  }
}

/** Stands for an error's message that may quote what was withheld. */
const messageWithheld = 'withheld: it may quote what was withheld of the statement';

/** The outcome of what has no result. */
export const plainOutcome = (
  of: Sequence,
  status: OutcomeEvent['status'],
  durationMicros: number | undefined,
): OutcomeEvent => ({
  kind: 'outcome',
  of,
  status,
  tag: undefined,
  rows: undefined,
  errorCode: undefined,
  errorMessage: undefined,
  durationMicros,
  resultDigest: undefined,
  resultBytes: undefined,
  rowsKept: undefined,
});
