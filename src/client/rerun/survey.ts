import type { OutcomeStatus, StatementEvent } from '../../protocol/event.ts';
import type { Protocol } from '../../protocol/protocol.ts';
import { protocolNamed } from '../../protocol/registry.ts';
import type { Entry, EntryHeader } from '../../recording/entry.ts';
import type { Genesis } from '../../recording/genesis.ts';
import type { SkipReason } from '../../recording/rerun-report.ts';
import { UserError } from '../../shared/errors.ts';

interface Skip {
  why: SkipReason;
  /** It failed when it was recorded: its transaction was aborted, the rest of its pipeline skipped. */
  hasFailed: boolean;
}

interface RecordedStream {
  /** The entry after which its connection stood. */
  openAt: number;
  /** As the client program gave them at start-up. */
  parameters: Record<string, string>;
}

/** What is known of a recording before anything of it is run. */
export interface Survey {
  genesis: Genesis;
  protocol: Protocol;
  /** Connections that something was sent on. */
  streams: Map<number, RecordedStream>;
  /** Statements that have an outcome to compare. */
  statements: number;
  skips: Map<number, Skip>;
  /** Those of `skips` that a person has to know of before: what they said is not in the record any more, or never was. */
  missing: { seq: number; why: 'withheld' | 'erased' }[];
  /** Messages that the gateway refused, and cancels: nothing of them is sent. */
  refusals: number;
  cancels: number;
}

/** Reads a recording once. `until`: as if it ended before this entry. Memory: what is out of the ordinary, and open statements. */
export async function surveyOf(entries: AsyncIterable<Entry>, until = Infinity): Promise<Survey> {
  const surveyor = new Surveyor(until);
  for await (const entry of entries) surveyor.see(entry);
  return surveyor.survey();
}

interface OpenStatement {
  stream: number;
  /** What it was about to be, had it not been cancelled or refused. */
  isMissing: boolean;
}

class Surveyor {
  readonly #until: number;
  #genesis: Genesis | undefined;
  #protocol: Protocol | undefined;
  readonly #opened = new Map<number, RecordedStream & { isFixed: boolean }>();
  readonly #survey = { statements: 0, refusals: 0, cancels: 0 };
  readonly #skips = new Map<number, Skip>();
  readonly #open = new Map<number, OpenStatement>();
  /** Streams that something was sent on. */
  readonly #used = new Set<number>();

  constructor(until: number) {
    this.#until = until;
  }

  see({ header, body }: Entry): void {
    const { seq, stream } = header;
    if (seq >= this.#until && body.kind !== 'outcome') return;
    switch (body.kind) {
      case 'genesis':
        this.#genesis = body;
        this.#protocol = protocolNamed(body.protocol);
        return;
      case 'stream-open':
        this.#opened.set(stream, { openAt: seq, parameters: {}, isFixed: false });
        return;
      case 'state':
        return this.#state(header, body.name, body.value);
      case 'statement':
        return this.#statement(header, body);
      case 'outcome':
        return this.#outcome(body.of, body.status);
      case 'refusal':
        if (body.of === undefined) this.#survey.refusals++;
        return;
      case 'cancel':
        this.#survey.cancels++;
        return;
      case 'stream-close':
        return this.#closed(stream);
      case 'erased':
        return this.#erased(header);
      default:
    }
  }

  survey(): Survey {
    if (!this.#genesis || !this.#protocol) {
      throw new UserError('HOOP_RECORD_DAMAGED', 'the recording does not begin as one of a protocol that is known', {
        next: 'hoop verify says what is wrong with it',
      });
    }
    const missing = [...this.#skips].flatMap(([seq, { why }]) =>
      why === 'withheld' || why === 'erased' ? [{ seq, why } as const] : [],
    );
    return {
      genesis: this.#genesis,
      protocol: this.#protocol,
      streams: new Map([...this.#opened].filter(([stream]) => this.#used.has(stream))),
      skips: this.#skips,
      missing: missing.filter(({ seq }) => !this.#quiet.has(seq)),
      ...this.#survey,
    };
  }

  /** Of skips: preparations, which a person sees only by what executes them. */
  readonly #quiet = new Set<number>();

  /** Settings that come before anything was asked are those of the start. */
  #state({ seq, stream }: EntryHeader, name: string, value: string): void {
    const opened = this.#opened.get(stream);
    if (!opened || opened.isFixed) return;
    opened.parameters[name] = value;
    opened.openAt = seq;
  }

  #statement({ seq, stream }: EntryHeader, event: StatementEvent): void {
    const opened = this.#opened.get(stream);
    if (opened) opened.isFixed = true;
    this.#used.add(stream);
    if (event.expectsOutcome) this.#survey.statements++;
    const why = this.#whySkipped(event);
    if (why) this.#skips.set(seq, { why, hasFailed: false });
    if (why && !event.expectsOutcome) this.#quiet.add(seq);
    if (event.expectsOutcome) this.#open.set(seq, { stream, isMissing: why !== undefined });
  }

  #whySkipped(event: StatementEvent): SkipReason | undefined {
    const basis = event.of === undefined ? undefined : this.#skips.get(event.of)?.why;
    if (basis) return basis;
    if (this.#protocol?.again.encode(event) === undefined) return 'login';
    return event.redactions === undefined ? undefined : 'withheld';
  }

  #outcome(of: number, status: OutcomeStatus): void {
    this.#open.delete(of);
    const skip = this.#skips.get(of);
    if (skip) skip.hasFailed = status === 'error' || status === 'cancelled';
    // What never reached the resource is nothing that is missing.
    if (status === 'refused') this.#skips.set(of, { why: 'refused', hasFailed: false });
    if (status === 'cancelled' && !skip && of < this.#until) this.#skips.set(of, { why: 'cancelled', hasFailed: true });
  }

  #closed(stream: number): void {
    for (const [seq, open] of this.#open) if (open.stream === stream) this.#open.delete(seq);
  }

  #erased({ kind, seq, stream }: EntryHeader): void {
    if (kind === 'statement') {
      this.#used.add(stream);
      this.#skips.set(seq, { why: 'erased', hasFailed: false });
    }
    if (kind !== 'data' && kind !== 'outcome') return;
    // Both belong to the oldest statement of the stream that is not answered.
    const [oldest] = [...this.#open].find(([, open]) => open.stream === stream) ?? [];
    if (oldest === undefined) return;
    if (kind === 'data') this.#skips.set(oldest, { why: 'erased', hasFailed: false });
    else this.#open.delete(oldest);
  }
}
