import type { SessionStream, Statement } from '../shared/api.ts';
import { statementsOf, streamsOf } from './api/sessions.ts';
import type { GatewayApi } from './gateway-api.ts';

export interface SessionSummary {
  streams: SessionStream[];
  /** The statements that took longest, longest first. */
  slowest: Statement[];
  /** The first that failed or were refused. */
  failed: Statement[];
}

const slowestMax = 5;
const failedMax = 10;

/** Reads a whole recording once, and holds little of it. */
export async function summarise(api: GatewayApi, session: string): Promise<SessionSummary> {
  const slowest: Statement[] = [];
  const failed: Statement[] = [];
  for await (const statement of statementsOf(api, session)) {
    const { outcome } = statement;
    if ((outcome?.status === 'error' || outcome?.status === 'refused') && failed.length < failedMax)
      failed.push(statement);
    if (outcome?.durationMicros !== undefined) keepSlowest(slowest, statement);
  }
  return { streams: await streamsOf(api, session), slowest, failed };
}

function keepSlowest(slowest: Statement[], statement: Statement): void {
  const micros = (one: Statement) => one.outcome?.durationMicros ?? 0;
  const place = slowest.findIndex((other) => micros(other) < micros(statement));
  if (place >= 0) slowest.splice(place, 0, statement);
  else slowest.push(statement);
  slowest.length = Math.min(slowest.length, slowestMax);
}
