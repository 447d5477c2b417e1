import type { OutcomeEvent, StatementEvent } from '../../protocol/event.ts';
import type { BackendReady, Startup } from '../../protocol/protocol.ts';
import type { Entry, EntryHeader } from '../../recording/entry.ts';
import { compareOutcomes } from '../../recording/compare-outcomes.ts';
import type { RerunEnd, RerunStatement, SkipReason } from '../../recording/rerun-report.ts';
import { statementsOf } from '../../recording/timeline.ts';
import type { Statement } from '../../shared/api.ts';
import { UserError } from '../../shared/errors.ts';
import { LookAhead } from './look-ahead.ts';
import { RerunStream, type Patience } from './rerun-stream.ts';
import type { Survey } from './survey.ts';

/** Bounds of waiting, in milliseconds. */
export interface RerunPace {
  /** While something runs elsewhere, a statement is not sent sooner after the last one than it was; at most so long. */
  gapMax: number;
  /** With several streams: an answer that takes longer than this, and than it took by far, is waited for behind the others. */
  patienceMax: number;
  /** For an answer that decides nothing that is recorded: a Sync with nothing to commit, a statement whose client went away. */
  courtesyMax: number;
}

const defaultPace: RerunPace = { gapMax: 200, patienceMax: 5000, courtesyMax: 1000 };

/**
 * A statement is sent when its answer is the next one, although it may have been sent earlier: two that were sent within a moment raced for
 * the same locks, and only the order of their answers says who was first (PostgreSQL lets newcomers pass those that wait). It is sent
 * before, as it was, where the record shows that it had been under way for so long: its snapshot is then as old as it was.
 */
const heldMicrosMax = 2_000_000;
/** An answer that takes longer may need what is held back: the one whose answer comes next. */
const heldMillisMin = 250;

/** What was recorded of a stream and is not sent yet. */
interface Held {
  seq: number;
  timeMicros: number;
  acts: (() => Promise<void>)[];
}

export interface RerunParts {
  session: string;
  survey: Survey;
  entries: () => AsyncIterable<Entry>;
  /** A connection to the target that is logged in. */
  connect: (startup: Startup, stream: number) => Promise<BackendReady>;
  /** Nothing that stands in the recording from this entry on is sent. */
  until?: number | undefined;
  signal: AbortSignal;
  pace?: RerunPace;
}

/**
 * Runs a recording again, and gives each statement with its comparison, in the order of the recording. Memory: what the timeline holds.
 *
 * The recording's own order is the schedule: what it shows as sent is sent, where it shows an outcome that outcome is waited for. So a
 * statement is sent when all that had ended before it began has ended, and one that waited for another's lock waits for it again.
 */
export async function* rerun(parts: RerunParts): AsyncGenerator<RerunStatement, RerunEnd> {
  const run = new Rerun(parts);
  const { protocol } = parts.survey;
  const { renderParameter, renderCommand } = protocol;
  const recorded = statementsOf(run.entries(), { session: parts.session, renderParameter, renderCommand });
  try {
    for await (const statement of recorded) {
      const compared = run.compared(statement);
      if (compared) yield compared;
    }
  } finally {
    await run.close();
  }
  return run.end;
}

class Rerun {
  readonly #parts: RerunParts;
  readonly #pace: RerunPace;
  readonly #streams = new Map<number, RerunStream>();
  readonly #ran = new Map<number, OutcomeEvent>();
  readonly #ahead: LookAhead;
  /** In the order of the recording. */
  readonly #held = new Map<number, Held>();
  /** When the last statement was sent: in the recording. */
  #sentMicros = 0;
  readonly end: RerunEnd = { reason: 'done', outOfOrder: [], openTransactions: [] };

  constructor(parts: RerunParts) {
    this.#parts = parts;
    this.#pace = parts.pace ?? defaultPace;
    this.#ahead = new LookAhead(parts.entries());
  }

  /** The recording's entries, each when it has been done again. */
  async *entries(): AsyncGenerator<Entry> {
    const { until = Infinity, signal } = this.#parts;
    try {
      for await (const entry of this.#ahead) {
        if (signal.aborted) break;
        if (entry.header.seq >= until) {
          await this.#releaseAll();
          if (!this.#isRunning) break;
          if (entry.body.kind !== 'outcome' || !this.#isSent(entry.header.stream, entry.body.of)) continue;
        }
        await this.#again(entry);
        if (!signal.aborted) yield entry;
      }
      if (!signal.aborted) await this.#releaseAll();
    } catch (error) {
      // Before anything was sent it is an error like any other; later there is something to report.
      if (!(error instanceof UserError) || error.code !== 'HOOP_RESOURCE_UNREACHABLE' || this.#sentMicros === 0)
        throw error;
      this.end.reason = 'target-lost';
      this.end.message = error.message;
    }
    if (signal.aborted) this.end.reason = 'stopped';
  }

  /** Nothing for what is no statement. */
  compared(recorded: Statement): RerunStatement | undefined {
    const { seq, verb, stream } = recorded;
    const ran = this.#ran.get(seq);
    this.#ran.delete(seq);
    if (recorded.erased && verb !== 'statement') return undefined;
    const skipped = this.#parts.survey.skips.get(seq)?.why ?? whyNoStatement(recorded);
    if (skipped) return { recorded, ran: undefined, result: 'not-run', skipped };
    if (!ran && (this.end.reason !== 'done' || recorded.outcome === null))
      return { recorded, ran, result: this.#wasSent.delete(seq) ? 'not-compared' : 'not-run' };
    this.#wasSent.delete(seq);
    const because = ran?.status === 'skipped' ? this.#failures.get(stream) : undefined;
    const isNews = because && recorded.outcome?.status !== 'skipped';
    return { recorded, ran, ...compareOutcomes(recorded.outcome, ran), ...(isNews && { because }) };
  }

  /** The last failure of each stream. */
  readonly #failures = new Map<number, OutcomeEvent>();
  readonly #wasSent = new Set<number>();

  async close(): Promise<void> {
    const { signal } = this.#parts;
    const streams = [...this.#streams.values()];
    if (signal.aborted) await Promise.all(streams.map((stream) => stream.cancel()));
    for (const [number, stream] of this.#streams)
      if (stream.inTransaction && !stream.isOver) this.end.openTransactions.push(number);
    await Promise.all(streams.map((stream) => stream.close()));
    this.#streams.clear();
  }

  get #isRunning(): boolean {
    return [...this.#streams.values()].some(({ inFlight }) => inFlight.size > 0);
  }

  #isSent(stream: number, seq: number): boolean {
    return this.#streams.get(stream)?.inFlight.has(seq) === true;
  }

  async #again({ header, body }: Entry): Promise<void> {
    const stream = this.#streams.get(header.stream);
    if (body.kind === 'statement') await this.#statement(header, body);
    else if (body.kind === 'data') await this.#bytes(header.stream, body.of, body.bytes);
    else if (body.kind === 'outcome' && stream) await this.#outcome(stream, header, body);
    else if (body.kind === 'stream-close') await this.#close(header.stream);
    else if (body.kind === 'stream-open' || body.kind === 'state') await this.#open(header);
  }

  /** At the entry after which the recorded connection stood. */
  async #open({ seq, stream }: EntryHeader): Promise<void> {
    const { survey, connect } = this.#parts;
    const recorded = survey.streams.get(stream);
    if (recorded?.openAt !== seq) return;
    const ready = await connect({ parameters: recorded.parameters }, stream);
    this.#streams.set(
      stream,
      new RerunStream({
        protocol: survey.protocol,
        ready,
        redact: survey.genesis.redact,
        onOutcome: (of, outcome) => {
          this.#ran.set(of, outcome);
          if (outcome.status === 'error') this.#failures.set(stream, outcome);
        },
      }),
    );
  }

  async #statement(header: EntryHeader, event: StatementEvent): Promise<void> {
    const { skips } = this.#parts.survey;
    const skip = skips.get(header.seq) ?? (event.of === undefined ? undefined : skips.get(event.of));
    if (skip && !(skip.hasFailed && event.expectsOutcome)) return;
    for (const [number, { timeMicros }] of this.#held)
      if (timeMicros <= header.timeMicros - heldMicrosMax) await this.#release(number);
    const act = () => this.#send(header, event, skip !== undefined);
    const held = this.#held.get(header.stream);
    if (held) held.acts.push(act);
    else if (event.expectsOutcome && (await this.#isOvertaken(header.stream)))
      this.#held.set(header.stream, { seq: header.seq, timeMicros: header.timeMicros, acts: [act] });
    else await act();
  }

  /** The next that came back in the recording came back on another stream. */
  async #isOvertaken(number: number): Promise<boolean> {
    if (this.#streams.size < 2) return false;
    const next = await this.#ahead.find(({ body }) => body.kind === 'outcome' || body.kind === 'data');
    return next !== undefined && next.header.stream !== number;
  }

  async #release(number: number): Promise<void> {
    const { acts } = this.#held.get(number) ?? { acts: [] };
    this.#held.delete(number);
    for (const act of acts) await act();
  }

  /** The one that was answered next. */
  async #releaseNext(): Promise<void> {
    const held = new Map([...this.#held].map(([number, { seq }]) => [seq, number]));
    const next = await this.#ahead.find(({ body }) => body.kind === 'outcome' && held.has(body.of));
    const [oldest] = this.#held.keys();
    const number = next?.body.kind === 'outcome' ? held.get(next.body.of) : oldest;
    if (number !== undefined) await this.#release(number);
  }

  async #releaseAll(): Promise<void> {
    for (const [number] of this.#held) await this.#release(number);
  }

  async #send(header: EntryHeader, event: StatementEvent, isSkipped: boolean): Promise<void> {
    const { seq, stream: number } = header;
    const stream = this.#streams.get(number);
    if (!stream || stream.isOver) throw targetLost(number, seq);
    await this.#turn(number, header);
    if (isSkipped) return this.#failInstead(stream, seq, event);
    const bytes = this.#parts.survey.protocol.again.encode(event);
    if (!bytes) return;
    if (event.expectsOutcome) this.#wasSent.add(seq);
    await stream.send(seq, event, bytes);
    this.#sentMicros = Math.max(this.#sentMicros, header.timeMicros);
  }

  /** So that its transaction and its pipeline are where they were after it had failed. */
  async #failInstead(stream: RerunStream, seq: number, event: StatementEvent): Promise<void> {
    const failure = this.#parts.survey.protocol.again.failure?.(event.verb);
    if (!failure || (event.verb === 'query' && !stream.inTransaction)) return;
    await stream.send(seq, { verb: failure.verb, expectsOutcome: true }, failure.bytes);
  }

  async #bytes(number: number, of: number, bytes: Uint8Array): Promise<void> {
    if (this.#parts.survey.skips.has(of)) return;
    await this.#release(number); // its COPY had begun
    const stream = this.#streams.get(number);
    if (stream && !stream.isOver) await stream.sendBytes(bytes);
  }

  async #outcome(stream: RerunStream, { stream: number }: EntryHeader, body: OutcomeEvent): Promise<void> {
    await this.#release(number);
    const isSettled = await this.#settled(stream, body);
    if (this.#parts.signal.aborted) return; // it still runs, and is to be cancelled
    if (!isSettled && body.status !== 'unknown' && this.#streams.get(number) === stream)
      this.end.outOfOrder.push(body.of);
    stream.hasEnded(body.of);
    if (this.#parts.survey.skips.has(body.of)) this.#ran.delete(body.of);
  }

  async #settled(stream: RerunStream, body: OutcomeEvent): Promise<boolean> {
    const { millisMax, signal } = this.#patienceFor(body);
    const soon = Math.min(millisMax, Math.max(heldMillisMin, (3 * (body.durationMicros ?? 0)) / 1000));
    while (this.#held.size > 0) {
      if (await stream.settled(body.of, { millisMax: soon, signal })) return true;
      if (signal.aborted) return false;
      await this.#releaseNext();
    }
    return stream.settled(body.of, { millisMax, signal });
  }

  #patienceFor({ status, durationMicros = 0 }: OutcomeEvent): Patience {
    const { patienceMax, courtesyMax } = this.#pace;
    const { signal, until } = this.#parts;
    if (status === 'unknown') return { millisMax: courtesyMax, signal };
    // Alone, or without an end that was asked for, there is nothing that could be done meanwhile.
    const isAlone = this.#streams.size < 2 && until === undefined;
    // Once the order is lost, waiting does not bring it back.
    const patience = this.end.outOfOrder.length > 0 ? courtesyMax : patienceMax;
    return { millisMax: isAlone ? Infinity : Math.max(patience, (3 * durationMicros) / 1000), signal };
  }

  async #close(number: number): Promise<void> {
    await this.#release(number);
    const stream = this.#streams.get(number);
    this.#streams.delete(number);
    await stream?.close();
  }

  /** Waits for what the recording shows to have been over on other streams, and for what began there to be under way. */
  async #turn(number: number, header: EntryHeader): Promise<void> {
    if (this.#streams.size < 2) return;
    const { signal } = this.#parts;
    const { gapMax, patienceMax, courtesyMax } = this.#pace;
    const others = [...this.#streams].filter(([other]) => other !== number).map(([, stream]) => stream);
    for (const other of others) {
      const due = other.dueSync;
      const millisMax = due?.hasRun ? patienceMax : courtesyMax;
      if (due && !(await other.until(() => other.dueSync?.seq !== due.seq, { millisMax, signal }))) other.giveUpSync();
    }
    const running = others.find(({ isRunning }) => isRunning);
    const gapMillis = Math.min(gapMax, (header.timeMicros - this.#sentMicros) / 1000);
    if (running && gapMillis > 0) await running.until(() => !running.isRunning, { millisMax: gapMillis, signal });
  }
}

const targetLost = (stream: number, seq: number): UserError =>
  new UserError('HOOP_RESOURCE_UNREACHABLE', `the target ended the connection of stream ${stream} before #${seq}`, {
    next: 'its log says why',
  });

/** Refusals and cancels are shown in their place. */
export function whyNoStatement({ verb, erased }: Statement): SkipReason | undefined {
  if (erased) return 'erased';
  if (verb === 'refusal') return 'refused';
  return verb === 'cancel' ? 'cancel' : undefined;
}
