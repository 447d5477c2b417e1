import type { OutcomeEvent, RefusalEvent, RowsEvent, StatementEvent } from '../protocol/event.ts';
import type { Statement } from '../shared/api.ts';
import { AnswerOrder, type Settled } from './answer-order.ts';
import type { Entry, EntryHeader } from './entry.ts';
import { KeptResults, type RenderResult } from './kept-results.ts';
import { LiveNames } from './live-names.ts';
import { statementItem, type RenderCommand, type Renderers, type RenderParameter } from './statement-item.ts';
import { TransactionEnds } from './transaction-ends.ts';
import { executes } from './verbs.ts';

export interface TimelineOptions {
  session: string;
  renderParameter: RenderParameter;
  renderCommand?: RenderCommand | undefined;
  /** Without it rows are not shown. */
  renderResult?: RenderResult | undefined;
  /** Who had an entry erased, and when. */
  erasedBy?: ((seq: number) => Erasure | undefined) | undefined;
  /** Items held back to keep the order; past it the oldest ones are given although an earlier one is still open. */
  waitingMax?: number;
  /** In order of the answers: for somebody who watches, a statement that takes long keeps back no other. */
  asAnswered?: boolean;
}

export type Erasure = NonNullable<Statement['erased']>;
const unknownErasure: Erasure = { at: null, by: null };

/** Compressed results of items that are held back to keep the order: as `waitingMax`, for rows. */
const keptBytesMax = 64 * 1024 * 1024;

const failed: ReadonlySet<string> = new Set(['error', 'cancelled', 'refused']);

/**
 * What was asked and what came of it, from a session's entries: each execution with its text and parameters resolved, refusals and
 * cancels in their place, preparations only where they failed on their own. In order of `seq`; an item that is still open when
 * `waitingMax` later ones are ready comes after those. Memory: open statements, live names, held back items; portals end with their transaction.
 */
export async function* statementsOf(
  entries: AsyncIterable<Entry>,
  options: TimelineOptions,
): AsyncGenerator<Statement> {
  const timeline = new Timeline(options);
  for await (const { header, body } of entries) {
    switch (body.kind) {
      case 'statement':
        timeline.statement(header, body);
        break;
      case 'data':
        timeline.data(body.of, body.bytes.length);
        break;
      case 'rows':
        timeline.rows(body);
        break;
      case 'outcome':
        timeline.outcome(header.stream, body);
        break;
      case 'refusal':
        timeline.refusal(header, body);
        break;
      case 'cancel':
        timeline.item(header, 'cancel', null, null);
        break;
      case 'stream-close':
        timeline.streamClosed(header.stream);
        break;
      case 'erased':
        timeline.erased(header, options.erasedBy?.(header.seq) ?? unknownErasure);
        break;
      default:
        break;
    }
    yield* timeline.ready();
  }
  yield* timeline.rest();
}

interface Slot {
  statement: Statement;
  /** An outcome is still to come. */
  open: boolean;
  /** Shown only when it fails. */
  quiet: boolean;
  kept?: KeptResults;
  resultFormats?: readonly number[] | undefined;
}

class Timeline {
  readonly #names = new LiveNames();
  readonly #order: AnswerOrder;
  readonly #ends = new TransactionEnds();
  readonly #session: string;
  readonly #render: Renderers;
  readonly #renderResult: RenderResult | undefined;
  readonly #waitingMax: number;
  readonly #asAnswered: boolean;
  /** Of results that wait to be shown. */
  #keptBytes = 0;
  /** In order of seq: a Map keeps the order of insertion. */
  readonly #slots = new Map<number, Slot>();

  constructor({ session, renderParameter, renderCommand, renderResult, waitingMax = 4096, ...rest }: TimelineOptions) {
    this.#session = session;
    this.#render = { parameter: renderParameter, command: renderCommand };
    this.#renderResult = renderResult;
    this.#waitingMax = waitingMax;
    this.#asAnswered = rest.asAnswered ?? false;
    this.#order = new AnswerOrder(waitingMax);
  }

  statement(header: EntryHeader, event: StatementEvent): void {
    const meaning = this.#names.resolve(header, event);
    const quiet = !executes(event.verb);
    // What is quiet is made into an item only if it fails.
    const statement = statementItem(this.#session, header, event, meaning, this.#render);
    this.#slots.set(header.seq, {
      statement,
      open: event.expectsOutcome || quiet,
      quiet,
      resultFormats: meaning.resultFormats,
    });
    this.#names.endPortals(header.stream, this.#ends.asked(header.stream, header.seq, event));
    if (quiet && !event.expectsOutcome) this.#settle(this.#order.asked(header.stream, header.seq, event.verb));
  }

  data(of: number, bytes: number): void {
    const slot = this.#slots.get(of);
    if (slot) slot.statement.dataBytes = (slot.statement.dataBytes ?? 0) + bytes;
  }

  rows(event: RowsEvent): void {
    const slot = this.#slots.get(event.of);
    if (!slot || !this.#renderResult) return;
    slot.kept ??= new KeptResults();
    this.#keptBytes += slot.kept.add(event);
  }

  outcome(stream: number, event: OutcomeEvent): void {
    const slot = this.#slots.get(event.of);
    this.#settle(this.#order.answered(stream, event.of, slot?.statement.verb, event.status));
    this.#names.settle(event.of, event.status);
    const { verb = '', text = null } = slot?.statement ?? {};
    this.#names.endPortals(stream, this.#ends.answered(stream, verb, text, event));
    if (!slot) return;
    if (slot.quiet && !failed.has(event.status)) {
      this.#slots.delete(event.of);
      return;
    }
    slot.open = false;
    slot.statement.outcome = shownOutcome(event);
  }

  /** An item for each entry that was erased, whatever it was: that something is gone must be seen. */
  erased(header: EntryHeader, erasure: Erasure): void {
    // Statements of a stream are answered in order: this outcome is that of the first that has none.
    if (header.kind === 'outcome') {
      const answered = [...this.#slots.values()].find(
        ({ open, quiet, statement }) => open && !quiet && statement.stream === header.stream,
      );
      if (answered) answered.open = false;
    }
    this.item(header, header.kind, null, null, erasure);
  }

  streamClosed(stream: number): void {
    for (const seq of this.#order.forget(stream)) this.#slots.delete(seq);
    this.#names.forget(stream);
    this.#ends.forget(stream);
  }

  #settle({ taken, skipped }: Settled): void {
    for (const seq of taken) this.#names.settle(seq, 'ok');
    for (const seq of skipped) this.#names.settle(seq, 'skipped');
    for (const seq of [...taken, ...skipped]) this.#slots.delete(seq);
  }

  refusal(header: EntryHeader, event: RefusalEvent): void {
    this.item(header, 'refusal', event.text ?? null, {
      status: 'refused',
      errorCode: event.reason,
      errorMessage: event.message,
    });
  }

  item(
    header: EntryHeader,
    verb: string,
    text: Uint8Array | null,
    outcome: Statement['outcome'],
    erased?: Erasure,
  ): void {
    const event: StatementEvent = { kind: 'statement', verb, expectsOutcome: false, ...(text && { text }) };
    const statement = statementItem(
      this.#session,
      header,
      event,
      { text, parameterTypes: [], parameters: [] },
      this.#render,
    );
    const shown = { ...statement, outcome, ...(erased && { erased }) };
    this.#slots.set(header.seq, { statement: shown, open: false, quiet: false });
  }

  /** Items that nothing holds back any more. */
  *ready(): Generator<Statement> {
    for (const [seq, slot] of this.#slots) {
      if (slot.open) break;
      yield this.#finished(seq, slot);
    }
    if (this.#asAnswered || this.#slots.size > this.#waitingMax || this.#keptBytes > keptBytesMax) yield* this.#past();
  }

  *#past(): Generator<Statement> {
    for (const [seq, slot] of this.#slots) if (!slot.open) yield this.#finished(seq, slot);
  }

  /** At the end: what is still open has no outcome yet. */
  *rest(): Generator<Statement> {
    for (const [seq, slot] of this.#slots) if (!(slot.quiet && slot.open)) yield this.#finished(seq, slot);
  }

  #finished(seq: number, { statement, kept, resultFormats = [] }: Slot): Statement {
    this.#slots.delete(seq);
    if (!kept || !this.#renderResult) return statement;
    this.#keptBytes -= kept.bytes;
    const results = kept.render(this.#renderResult, resultFormats);
    return results ? { ...statement, results } : statement;
  }
}

/** As the API shows it. */
export function shownOutcome(event: OutcomeEvent): NonNullable<Statement['outcome']> {
  const { status, tag, rows, errorCode, errorMessage, durationMicros, resultDigest, resultBytes, rowsKept } = event;
  return {
    status,
    ...(tag !== undefined && { tag }),
    ...(rows !== undefined && { rows }),
    ...(errorCode !== undefined && { errorCode }),
    ...(errorMessage !== undefined && { errorMessage }),
    ...(durationMicros !== undefined && { durationMicros }),
    ...(resultDigest && { resultSha256: Buffer.from(resultDigest).toString('hex') }),
    ...(resultBytes !== undefined && { resultBytes }),
    ...(rowsKept !== undefined && { rowsKept }),
  };
}
