import type { Entry } from './entry.ts';
import { executes } from './verbs.ts';

export interface SessionCounters {
  /** Statements that were to be executed. */
  statements: number;
  /** Outcomes that were errors, and refusals. */
  errors: number;
  streams: number;
}

/** What is open and what was counted in a session; the same while it is recorded, recovered, and indexed again. */
export class SessionLedger {
  counters: SessionCounters = { statements: 0, errors: 0, streams: 0 };
  /** Statements without their outcome: sequence number → stream. */
  readonly openStatements = new Map<number, number>();
  readonly openStreams = new Set<number>();
  interrupted = false;
  sealReason: string | undefined;
  /** Of something nothing more is known than that it was: the seal has counted it. */
  #hasErased = false;

  add(seq: number, stream: number, body: Entry['body']): void {
    switch (body.kind) {
      case 'statement':
        if (executes(body.verb)) this.counters.statements++;
        if (body.expectsOutcome) this.openStatements.set(seq, stream);
        return;
      case 'outcome':
        this.openStatements.delete(body.of);
        if (body.status === 'error') this.counters.errors++;
        return;
      case 'refusal':
        this.counters.errors++;
        return;
      case 'stream-open':
        this.counters.streams++;
        this.openStreams.add(stream);
        return;
      case 'stream-close':
        this.openStreams.delete(stream);
        return;
      case 'interrupted':
        this.interrupted = true;
        return;
      case 'erased':
        this.#hasErased = true;
        return;
      case 'seal':
        this.sealReason = body.reason;
        if (this.#hasErased)
          this.counters = { statements: body.statements, errors: body.errors, streams: body.streams };
    }
  }
}
