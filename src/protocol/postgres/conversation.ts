import type { Clock } from '../../shared/clock.ts';
import { ByteRuns } from '../byte-runs.ts';
import type { EventSink, OutcomeEvent, Sequence } from '../event.ts';
import { ResultDigest } from '../result-digest.ts';
import {
  backendType,
  decodeParameterStatus,
  decodeReadyForQuery,
  headerBytes,
  type TransactionStatus,
} from './messages.ts';
import { KeptRows, KnownColumns } from './kept-rows.ts';
import { Names, type Definition, type Portal } from './names.ts';

/** One message that was sent. */
export interface Sent {
  kind: 'parse' | 'bind' | 'describe' | 'close' | 'execute' | 'sync' | 'query' | 'function-call';
  /** The entry that an error belongs to. */
  entry: Sequence;
  /** Sent by the gateway, not by the client: its answer is not passed on. */
  isOurs?: boolean;
  /** Which name map its confirmation changes. */
  changes?: 'statement' | 'portal';
  /** Must end with an outcome. */
  expectsOutcome: boolean;
  /** Describe of a statement: whose parameter types the ParameterDescription tells. */
  described?: Definition;
  /** What an error is to say in the place of the server's words (the gateway made it fail). */
  error?: { code: string; message: string; hint: string };
  /** Its text or parameters were withheld from the record: then so is what the server says of them. */
  isWithheld?: boolean;
  /** Execute, Describe: the statement behind the portal. */
  definition?: Definition | undefined;
}

/** The same while its answer is to come, in the order of sending. Every property is there from the first: there is one for each message. */
export class Awaited {
  readonly kind: Sent['kind'];
  readonly entry: Sequence;
  readonly isOurs: boolean;
  readonly changes: Sent['changes'];
  readonly expectsOutcome: boolean;
  readonly described: Definition | undefined;
  readonly error: Sent['error'];
  readonly isWithheld: boolean;
  readonly definition: Definition | undefined;
  readonly sentMicros: number;
  /** Describe of a statement: ParameterDescription came, RowDescription or NoData is next. */
  sawParameters = false;
  /** How far the answer to a Query, Execute or FunctionCall has come; undefined between the commands of a Query. */
  phase: Phase | undefined = undefined;
  /** A Query or FunctionCall got what it must get before ReadyForQuery. */
  isAnswered = false;
  /** COPY from the client: Syncs that were sent ahead of it, which the server ignores, if the COPY lives long enough to read them. */
  syncsAhead = 0;
  /** What came back so far. */
  result: Result | undefined = undefined;

  constructor(sent: Sent, sentMicros: number) {
    this.kind = sent.kind;
    this.entry = sent.entry;
    this.isOurs = sent.isOurs === true;
    this.changes = sent.changes;
    this.expectsOutcome = sent.expectsOutcome;
    this.described = sent.described;
    this.error = sent.error;
    this.isWithheld = sent.isWithheld === true;
    this.definition = sent.definition;
    this.sentMicros = sentMicros;
  }
}

/** `copied`: COPY data to the client is over, its tag is to come. `failed`: only ReadyForQuery can come. */
export type Phase = 'rows' | 'copy-in' | 'copy-out' | 'copied' | 'failed';

/** What a running statement gave so far. */
export class Result {
  readonly digest = new ResultDigest();
  /** Result bytes on their way into the digest: small rows of one chunk are one step. */
  readonly digesting = new ByteRuns((bytes) => this.digest.add(bytes));
  bytes = 0;
  /** Where the resource's owner wants rows kept, and nothing of the statement was withheld. */
  readonly kept: KeptRows | undefined;
  /** Rows that the server counted in its tags. */
  rows = 0;
  /** Rows seen since the last tag. */
  rowsSeen = 0;
  readonly tags: string[] = [];
  error: { code: string; message: string } | undefined = undefined;

  constructor(kept: KeptRows | undefined) {
    this.kept = kept;
  }
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

  expect(sent: Sent): Awaited {
    const awaited = new Awaited(sent, this.clock.monotonicMicros());
    this.awaited.push(awaited);
    return awaited;
  }

  result(item: Awaited): Result {
    item.result ??= new Result(this.columns && !item.isWithheld ? new KeptRows(item.entry, this.sink) : undefined);
    return item.result;
  }

  outcome(item: Awaited, status: OutcomeEvent['status']): void {
    const { entry: of, result } = item;
    if (result?.kept?.flush()) this.hasKept = true;
    const durationMicros = this.clock.monotonicMicros() - item.sentMicros;
    this.sink.append(
      result
        ? outcomeOf(result, { of, status, durationMicros }, item.isWithheld)
        : { kind: 'outcome', of, status, durationMicros },
    );
  }

  /** Nothing will be answered any more: never guessed. */
  loseAll(): void {
    for (const item of this.awaited.splice(0)) {
      if (item.expectsOutcome) this.outcome(item, item.result?.error ? 'error' : 'unknown');
    }
    this.copyIn = undefined;
  }
}

/** Stands for an error's message that may quote what was withheld. */
const messageWithheld = 'withheld: it may quote what was withheld of the statement';

/** Where something was withheld, an error may quote it and a result repeat it (EXPLAIN does): nobody is to try words against a digest. */
function outcomeOf(
  { digest, digesting, bytes, kept, rows, rowsSeen, tags, error }: Result,
  { of, status, durationMicros }: Pick<OutcomeEvent, 'of' | 'status' | 'durationMicros'>,
  isWithheld: boolean,
): OutcomeEvent {
  digesting.flush();
  // One literal with every property: the same shape for each, which parts put together would not have.
  return {
    kind: 'outcome',
    of,
    status,
    tag: tags.length === 0 ? undefined : tags.length === 1 ? tags[0] : tags.join('; '),
    rows: tags.length > 0 || rowsSeen > 0 ? rows + rowsSeen : undefined,
    errorCode: error?.code,
    errorMessage: error && isWithheld ? messageWithheld : error?.message,
    durationMicros,
    resultDigest: bytes > 0 && !isWithheld ? digest.end() : undefined,
    resultBytes: bytes > 0 ? bytes : undefined,
    rowsKept: bytes > 0 ? kept?.rows : undefined,
  };
}
