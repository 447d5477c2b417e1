import type { OutcomeEvent, OutcomeStatus, StatementEvent } from '../protocol/event.ts';

interface Stream {
  /** Statements whose outcome is still to come. */
  open: number;
  /** After BEGIN: a Sync does not end the transaction. */
  isExplicit: boolean;
  /** Syncs of which nothing was heard yet. */
  syncs: number[];
}

/** Forgetting the oldest of more than these keeps portals longer, and nothing else. */
const syncsMax = 4096;

/**
 * Where transactions of a stream end, and with them all portals that were bound before: at a Sync or behind a Query outside of BEGIN, at
 * COMMIT and ROLLBACK. Says so only when it is sure; a server's answers come in order.
 * https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY
 */
export class TransactionEnds {
  readonly #streams = new Map<number, Stream>();

  /** Portals bound before the entry that is given are gone; undefined when nothing ends. */
  asked(stream: number, seq: number, { verb, expectsOutcome }: StatementEvent): number | undefined {
    const state = this.#of(stream);
    if (expectsOutcome) state.open++;
    if (verb !== 'sync') return undefined;
    if (state.open === 0) return state.isExplicit ? undefined : seq;
    state.syncs.push(seq);
    if (state.syncs.length > syncsMax) state.syncs.shift();
    return undefined;
  }

  /** As `asked`. `text`: of the statement that was answered. */
  answered(
    stream: number,
    verb: string,
    text: string | null,
    { of, status, tag = '' }: OutcomeEvent,
  ): number | undefined {
    const state = this.#of(stream);
    state.open = Math.max(0, state.open - 1);
    if (!answers.has(status)) return undefined;
    const synced = state.syncs.findLast((seq) => seq < of);
    state.syncs = state.syncs.filter((seq) => seq > of);
    const before = state.isExplicit ? undefined : synced;
    let hasEnded = false;
    for (const one of tag.split('; ')) {
      if (one === 'BEGIN' || one === 'START TRANSACTION') state.isExplicit = true;
      if (!endTags.has(one) || /\bto\b/i.test(text ?? '')) continue; // ROLLBACK TO a savepoint has the same tag
      hasEnded = true;
      state.isExplicit = /\bchain\b/i.test(text ?? '');
    }
    return hasEnded || (verb === 'query' && !state.isExplicit) ? of : before;
  }

  forget(stream: number): void {
    this.#streams.delete(stream);
  }

  #of(stream: number): Stream {
    const known = this.#streams.get(stream);
    if (known) return known;
    const fresh: Stream = { open: 0, isExplicit: false, syncs: [] };
    this.#streams.set(stream, fresh);
    return fresh;
  }
}

/** What a server said; all else was never sent, or is not known. */
const answers: ReadonlySet<OutcomeStatus> = new Set(['ok', 'suspended', 'error', 'cancelled']);
const endTags: ReadonlySet<string> = new Set(['COMMIT', 'ROLLBACK', 'PREPARE TRANSACTION']);
