import type { OutcomeStatus } from '../protocol/event.ts';

/** Messages after whose failure a server skips everything up to the next Sync. */
const skipping: ReadonlySet<string> = new Set(['parse', 'bind', 'describe', 'close', 'execute']);
const answers: ReadonlySet<OutcomeStatus> = new Set(['ok', 'suspended', 'error', 'cancelled']);
const failures: ReadonlySet<OutcomeStatus> = new Set(['error', 'cancelled']);

interface Stream {
  /** Framing messages that were not yet heard of, in order. */
  waiting: { seq: number; verb: string }[];
  /** Sent after an error whose Sync has not been sent yet; undefined where there is none. */
  passedOver: number[] | undefined;
}

/** What an outcome says about the framing messages of its stream. */
export interface Settled {
  taken: number[];
  skipped: number[];
}

/**
 * What became of messages that have an outcome only if they fail (Parse, Bind, Close, …). Servers answer in order: an outcome says of
 * all that was sent before it that the server took it, and an error that what follows, up to a Sync, was skipped.
 */
export class AnswerOrder {
  readonly #streams = new Map<number, Stream>();
  readonly #waitingMax: number;

  constructor(waitingMax: number) {
    this.#waitingMax = waitingMax;
  }

  /** A framing message without an expected outcome. What is skipped is told at the Sync: until then, what builds on it has its text. */
  asked(stream: number, seq: number, verb: string): Settled {
    const state = this.#of(stream);
    if (state.passedOver && verb !== 'sync') {
      state.passedOver.push(seq);
      return {
        taken: [],
        skipped: state.passedOver.splice(0, Math.max(0, state.passedOver.length - this.#waitingMax)),
      };
    }
    const skipped = state.passedOver ?? [];
    state.passedOver = undefined;
    state.waiting.push({ seq, verb });
    const surplus = state.waiting.splice(0, Math.max(0, state.waiting.length - this.#waitingMax));
    return { taken: surplus.map((one) => one.seq), skipped };
  }

  answered(stream: number, seq: number, verb: string | undefined, status: OutcomeStatus): Settled {
    const state = this.#of(stream);
    if (!answers.has(status)) return { taken: [], skipped: [] };
    const behind = state.waiting.findIndex((one) => one.seq >= seq);
    const taken = state.waiting.splice(0, behind === -1 ? state.waiting.length : behind).map((one) => one.seq);
    const own = state.waiting[0]?.seq === seq ? state.waiting.shift() : undefined;
    if (!failures.has(status) || !skipping.has(own?.verb ?? verb ?? '')) return { taken, skipped: [] };
    const sync = state.waiting.findIndex((one) => one.verb === 'sync');
    state.passedOver = sync === -1 ? [] : undefined;
    const skipped = state.waiting.splice(0, sync === -1 ? state.waiting.length : sync).map((one) => one.seq);
    return { taken, skipped };
  }

  /** The stream is over: those of which nothing was heard. */
  forget(stream: number): number[] {
    const { waiting, passedOver = [] } = this.#of(stream);
    this.#streams.delete(stream);
    return [...waiting.map((one) => one.seq), ...passedOver];
  }

  #of(stream: number): Stream {
    const known = this.#streams.get(stream);
    if (known) return known;
    const fresh: Stream = { waiting: [], passedOver: undefined };
    this.#streams.set(stream, fresh);
    return fresh;
  }
}
