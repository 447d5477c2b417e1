import { createHash, type Hash } from 'node:crypto';
import type { Clock } from '../../shared/clock.ts';
import { ByteRuns } from '../byte-runs.ts';
import type { EventSink, OutcomeEvent, Sequence } from '../event.ts';
import {
  backendType,
  decodeParameterStatus,
  decodeReadyForQuery,
  headerBytes,
  type TransactionStatus,
} from './messages.ts';
import { KeptRows, KnownColumns } from './kept-rows.ts';
import { Names, type Definition, type Portal } from './names.ts';

/** One message that was sent and whose answer is to come, in the order of sending. */
export interface Awaited {
  kind: 'parse' | 'bind' | 'describe' | 'close' | 'execute' | 'sync' | 'query' | 'function-call';
  /** The entry that an error belongs to. */
  entry: Sequence;
  /** Sent by the gateway, not by the client: its answer is not passed on. */
  isOurs?: boolean;
  /** Which name map its confirmation changes. */
  changes?: 'statement' | 'portal';
  /** Must end with an outcome. */
  expectsOutcome: boolean;
  sentMicros: number;
  /** Describe of a statement: whose parameter types the ParameterDescription tells. */
  described?: Definition;
  /** Describe of a statement: ParameterDescription came, RowDescription or NoData is next. */
  sawParameters?: boolean;
  /** How far the answer to a Query, Execute or FunctionCall has come; absent between the commands of a Query. */
  phase?: Phase | undefined;
  /** A Query or FunctionCall got what it must get before ReadyForQuery. */
  isAnswered?: boolean;
  /** What an error is to say in the place of the server's words (the gateway made it fail). */
  error?: { code: string; message: string; hint: string };
  /** COPY from the client: Syncs that were sent ahead of it, which the server ignores, if the COPY lives long enough to read them. */
  syncsAhead?: number;
  /** Its text or parameters were withheld from the record: then so is what the server says of them. */
  isWithheld?: boolean;
  /** Execute, Describe: the statement behind the portal. */
  definition?: Definition | undefined;
  /** What came back so far. */
  result?: Result;
}

/** `copied`: COPY data to the client is over, its tag is to come. `failed`: only ReadyForQuery can come. */
export type Phase = 'rows' | 'copy-in' | 'copy-out' | 'copied' | 'failed';

/** What a running statement gave so far. */
export interface Result {
  digest: Hash;
  /** Result bytes on their way into the digest: small rows of one chunk are one step. */
  digesting: ByteRuns;
  bytes: number;
  /** Where the resource's owner wants rows kept, and nothing of the statement was withheld. */
  kept?: KeptRows | undefined;
  /** Rows that the server counted in its tags. */
  rows: number;
  /** Rows seen since the last tag. */
  rowsSeen: number;
  tags: string[];
  error?: { code: string; message: string };
}

/** A name, its place in a map, an object: measured at about that. */
const nameOverheadBytes = 256;

/** What both halves of the decoder share: the state of one stream as far as the server has confirmed it. */
export class Conversation {
  readonly sink: EventSink;
  readonly clock: Clock;
  readonly awaited: Awaited[] = [];
  readonly statements = new Names<Definition>(({ text, types }) => nameOverheadBytes + text.length + 8 * types.length);
  readonly portals = new Names<Portal>(() => nameOverheadBytes);
  /** Grows with every message after which the server starts afresh (Sync, Query, FunctionCall). */
  segment = 0;
  /** An error came in the segment that is still being sent: the server skips everything up to the Sync. */
  isSkipping = false;
  /**
   * What the server's unnamed statement is, and whether that is sure for messages sent now. SQL cannot name the unnamed statement, so
   * what is bound to it is what was last parsed into it.
   */
  unnamed: { definition: Definition; segment: number; by: Awaited; isAnswered: boolean } | undefined;
  /** The server takes CopyData for this statement. */
  copyIn: Sequence | undefined;
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

  constructor(sink: EventSink, clock: Clock, results: 'digest' | 'rows' = 'digest') {
    this.columns = results === 'rows' ? new KnownColumns() : undefined;
    this.sink = sink;
    this.clock = clock;
  }

  /** One message of the greeting: the state in which the stream begins. */
  greet(message: Uint8Array): void {
    const body = message.subarray(headerBytes);
    if (message[0] === backendType.readyForQuery) this.transaction = decodeReadyForQuery(body);
    if (message[0] !== backendType.parameterStatus) return;
    const { name, value } = decodeParameterStatus(body);
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
    return this.awaited[0];
  }

  expect(item: Omit<Awaited, 'sentMicros'>): Awaited {
    const awaited = { ...item, sentMicros: this.clock.monotonicMicros() };
    this.awaited.push(awaited);
    return awaited;
  }

  result(item: Awaited): Result {
    item.result ??= emptyResult(this.columns && !item.isWithheld ? new KeptRows(item.entry, this.sink) : undefined);
    return item.result;
  }

  outcome(item: Awaited, status: OutcomeEvent['status']): void {
    if (item.result?.kept?.flush()) this.hasKept = true;
    this.sink.append({
      kind: 'outcome',
      of: item.entry,
      status,
      durationMicros: this.clock.monotonicMicros() - item.sentMicros,
      ...(item.result ? shown(item.result, item.isWithheld) : {}),
    });
  }

  /** Nothing will be answered any more: never guessed. */
  loseAll(): void {
    for (const item of this.awaited.splice(0)) {
      if (item.expectsOutcome) this.outcome(item, item.result?.error ? 'error' : 'unknown');
    }
    this.copyIn = undefined;
  }
}

function emptyResult(kept: KeptRows | undefined): Result {
  const digest = createHash('sha256');
  const digesting = new ByteRuns((bytes) => digest.update(bytes));
  return { digest, digesting, kept, bytes: 0, rows: 0, rowsSeen: 0, tags: [] };
}

/** Stands for an error's message that may quote what was withheld. */
const messageWithheld = 'withheld: it may quote what was withheld of the statement';

/** Where something was withheld, an error may quote it and a result repeat it (EXPLAIN does): nobody is to try words against a digest. */
function shown(result: Result, isWithheld = false): Partial<OutcomeEvent> {
  const { digest, digesting, bytes, kept, rows, rowsSeen, tags, error } = result;
  digesting.flush();
  return {
    ...(tags.length > 0 ? { tag: tags.join('; ') } : {}),
    ...(tags.length > 0 || rowsSeen > 0 ? { rows: rows + rowsSeen } : {}),
    ...(error ? { errorCode: error.code, errorMessage: isWithheld ? messageWithheld : error.message } : {}),
    ...(bytes > 0 ? { ...(isWithheld ? {} : { resultDigest: digest.digest() }), resultBytes: bytes } : {}),
    ...(kept && bytes > 0 ? { rowsKept: kept.rows } : {}),
  };
}
