import type { OutcomeEvent } from '../protocol/event.ts';
import type { Statement } from '../shared/api.ts';

/** How a statement that was run again did, beside what was recorded of it. */
export type RerunResult =
  | 'same'
  | 'different-rows'
  | 'different-count'
  | 'different-error'
  /** It ran, but the record does not say what came of it. */
  | 'not-compared'
  | 'not-run';

export interface Comparison {
  result: RerunResult;
  /** How many times as long it took, where that is worth a word. */
  slowerBy?: number;
}

/** Below that a difference is the network's, the cache's or the clock's. */
const slowerByMin = 2;
const slowerMicrosMin = 50_000;

type Recorded = NonNullable<Statement['outcome']>;

/** Compares as a client program would see it: error codes (their words may name files and numbers), counts, then the digest. */
export function compareOutcomes(recorded: Recorded | null, ran: OutcomeEvent | undefined): Comparison {
  if (recorded === null || recorded.status === 'unknown') return { result: 'not-compared' };
  const slowerBy = slowness(recorded.durationMicros, ran?.durationMicros);
  return { result: resultOf(recorded, ran), ...(slowerBy !== undefined && { slowerBy }) };
}

function resultOf(recorded: Recorded, ran: OutcomeEvent | undefined): RerunResult {
  if (!ran || failureOf(recorded) !== failureOf(ran)) return 'different-error';
  if (recorded.rows !== ran.rows || recorded.status !== ran.status) return 'different-count';
  const digest = ran.resultDigest && Buffer.from(ran.resultDigest).toString('hex');
  if (recorded.resultSha256 !== digest) return 'different-rows';
  return recorded.tag === ran.tag ? 'same' : 'different-count';
}

/** What kind of end it was: an error's code, or one of the ends that are none. */
function failureOf({ status, errorCode }: Recorded | OutcomeEvent): string {
  if (status === 'ok' || status === 'suspended') return 'none';
  return status === 'error' || status === 'cancelled' ? `error ${errorCode ?? ''}` : status;
}

function slowness(recordedMicros: number | undefined, micros: number | undefined): number | undefined {
  if (recordedMicros === undefined || micros === undefined) return undefined;
  const factor = micros / Math.max(1, recordedMicros);
  return factor >= slowerByMin && micros - recordedMicros >= slowerMicrosMin ? factor : undefined;
}
