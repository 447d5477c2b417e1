import type { OutcomeEvent } from '../protocol/event.ts';
import type { Statement } from '../shared/api.ts';
import type { Comparison, RerunResult } from './compare-outcomes.ts';
import { shownOutcome } from './timeline.ts';

/** Why a recorded statement is not run again. `login`: the new connection has its own behind it; `cancel`: it is none. */
export type SkipReason = 'cancelled' | 'refused' | 'withheld' | 'erased' | 'login' | 'cancel';

/** One recorded statement, and what came of it this time. */
export interface RerunStatement extends Comparison {
  recorded: Statement;
  ran: OutcomeEvent | undefined;
  /** Why it was not run. */
  skipped?: SkipReason;
  /** A preparation before it failed this time: why it could not run. */
  because?: OutcomeEvent;
}

export interface RerunEnd {
  /** `target-lost`: the target ended a connection that the recording goes on with. */
  reason: 'done' | 'stopped' | 'target-lost' | 'dry-run';
  message?: string;
  /** Statements whose answer came so late that others were sent before it: from there on the order is not the recorded one. */
  outOfOrder: number[];
  /** Streams that had a transaction open at the end: what it did is rolled back. */
  openTransactions: number[];
}

/** What is run again, and where. */
export interface RerunSubject {
  session: string;
  resource: string;
  target: string;
  /** The session that records it, where the target is a resource. */
  targetSession: string | null;
  until: number | null;
}

export interface RerunSummary extends RerunEnd {
  statements: number;
  results: Record<RerunResult, number>;
  slower: number;
}

/** Counts what it is given. */
export class RerunCount {
  #statements = 0;
  #slower = 0;
  readonly #results: Record<RerunResult, number> = {
    same: 0,
    'different-rows': 0,
    'different-count': 0,
    'different-error': 0,
    'not-compared': 0,
    'not-run': 0,
  };

  add({ result, slowerBy }: Comparison): void {
    this.#statements++;
    this.#results[result]++;
    if (slowerBy !== undefined) this.#slower++;
  }

  get differences(): number {
    const { 'different-rows': rows, 'different-count': counts, 'different-error': errors } = this.#results;
    return rows + counts + errors;
  }

  get statements(): number {
    return this.#statements;
  }

  summary(end: RerunEnd): RerunSummary {
    return { statements: this.#statements, results: this.#results, slower: this.#slower, ...end };
  }
}

/** One statement as a report's JSON has it. */
export function rerunItem({ recorded, ran, because, ...compared }: RerunStatement): object {
  const { seq, stream, at, verb, text, textBase64, parameters, outcome } = recorded;
  return {
    seq,
    stream,
    at,
    verb,
    text,
    ...(textBase64 !== undefined && { textBase64 }),
    parameters,
    ...compared,
    recorded: outcome,
    ran: ran ? shownOutcome(ran) : null,
    ...(because && { because: shownOutcome(because) }),
  };
}
