import type { Clock } from '../../shared/clock.ts';
import type { EventSink, OutcomeEvent, Sequence } from '../event.ts';
import { Awaited, AwaitedQueue, type AwaitedKind } from './awaited.ts';
import { backendType, decodeParameterStatus, decodeReadyForQuery, headerBytes } from './messages.ts';
import type { TransactionStatus } from './messages.ts';
import { KeptRows, KnownColumns } from './kept-rows.ts';
import { isSameStatement, Names, type Definition, type Portal } from './names.ts';
import { plainOutcome, Result } from './result.ts';

/** A name, its place in a map, an object: measured at about that. */
const nameOverheadBytes = 256;
const statementBytes = ({ text, types }: Definition): number => nameOverheadBytes + text.length + 8 * types.length;
const portalBytes = (): number => nameOverheadBytes;

/** The server's unnamed statement. */
interface Unnamed {
  definition: Definition;
  /** Entry of the message for which it was parsed. */
  since: Sequence;
  segment: number;
  /** The Parse whose answer is to come; undefined once it has. */
  by: Awaited | undefined;
}

/**
 * It is this definition, or the same text that was parsed after this name got its meaning: parsing it once more would give the same. (Before
 * that, a table may have been another; parameters keep the types that they were given first.)
 */
export const isParsedAs = (unnamed: Unnamed, definition: Definition): boolean =>
  unnamed.definition === definition ||
  (unnamed.since > definition.parse && isSameStatement(unnamed.definition, definition));

/** What both halves of the decoder share: the state of one stream as far as the server has confirmed it. */
export class Conversation {
  readonly sink: EventSink;
  readonly #clock: Clock;
  /** When the bytes came that are being read; not asked yet: -1. */
  #micros = -1;
  readonly awaited = new AwaitedQueue();
  readonly statements = new Names<Definition>(statementBytes);
  readonly portals = new Names<Portal>(portalBytes);
  /** Grows with every message after which the server starts afresh (Sync, Query, FunctionCall). */
  segment = 0;
  /** An error came in the segment that is still being sent: the server skips everything up to the Sync. */
  isSkipping = false;
  /**
   * What the server's unnamed statement is, and whether that is sure for messages sent now. SQL cannot name the unnamed statement, so
   * what is bound to it is what was last parsed into it.
   */
  unnamed: Unnamed | undefined = undefined;
  /** The server takes CopyData for this statement. */
  copyIn: Sequence | undefined = undefined;
  /**
   * A COPY failed, and nobody can tell whether the server had read the Syncs that were sent ahead of it: so many ReadyForQuery may come
   * before the next answer, or may not.
   */
  strayReadies = 0;
  transaction: TransactionStatus = 'I';
  encoding = 'UTF8';
  #conformingStrings = 'on';
  /** Grows with everything that can run SQL or functions. */
  acts = 0;
  cancelWanted = false;
  /** RowDescriptions, where rows are kept. */
  readonly columns: KnownColumns | undefined;
  /** Kept rows were appended in this step. */
  hasKept = false;
  /** Something was refused because the gateway stops; what the client sends behind it builds on it and is not even read. */
  isDeaf = false;
  /** Nothing is taken any more, from nobody. */
  isOver = false;

  constructor(sink: EventSink, clock: Clock, results: 'digest' | 'rows' = 'digest') {
    this.columns = results === 'rows' ? new KnownColumns() : undefined;
    this.sink = sink;
    this.#clock = clock;
  }

  /** Before anything new is read. */
  begin(): void {
    this.#micros = -1;
  }

  /** Of all that came in one chunk the time is the same: reading it once for each message would cost more than a message does. */
  get micros(): number {
    if (this.#micros < 0) this.#micros = this.#clock.monotonicMicros();
    return this.#micros;
  }

  /** One message of the greeting: the state in which the stream begins. */
  greet(message: Uint8Array): void {
    if (message[0] === backendType.readyForQuery) this.transaction = decodeReadyForQuery(message, headerBytes);
    if (message[0] !== backendType.parameterStatus) return;
    const { name, value } = decodeParameterStatus(message, headerBytes);
    this.setting(name, value);
  }

  /** A setting as the server reports it. */
  setting(name: string, value: string): void {
    if (name === 'client_encoding') this.encoding = value;
    if (name === 'standard_conforming_strings') this.#conformingStrings = value;
  }

  get conformingStrings(): boolean {
    return this.#conformingStrings === 'on';
  }

  /** What decides how the server cuts a text into tokens. */
  get reading(): string {
    return `${this.encoding} ${this.#conformingStrings}`;
  }

  get head(): Awaited | undefined {
    return this.awaited.head;
  }

  expect(kind: AwaitedKind, entry: Sequence): Awaited {
    const item = new Awaited(kind, entry, this.micros);
    this.awaited.push(item);
    return item;
  }

  result(item: Awaited): Result {
    item.result ??= new Result(this.columns && !item.isWithheld ? new KeptRows(item.entry, this.sink) : undefined);
    return item.result;
  }

  outcome(item: Awaited, status: OutcomeEvent['status']): void {
    const { entry, result, isWithheld } = item;
    if (result?.kept?.flush()) this.hasKept = true;
    const durationMicros = this.micros - item.sentMicros;
    this.sink.append(
      result ? result.outcome(entry, status, durationMicros, isWithheld) : plainOutcome(entry, status, durationMicros),
    );
  }

  /** Nothing will be answered any more: never guessed. */
  loseAll(): void {
    this.copyIn = undefined;
    while (this.head) {
      const item = this.awaited.shift();
      if (item.expectsOutcome) this.outcome(item, item.result?.error ? 'error' : 'unknown');
    }
  }
}
