import type { Session, SessionsQuery } from '../shared/api.ts';
import { pause } from '../shared/pause.ts';
import { pageOfSessions } from './api/sessions.ts';
import type { GatewayApi } from './gateway-api.ts';

/** Sessions to recognise what was shown: far more than start between two looks. */
const rememberedMax = 10_000;
const firstMax = 10;
const pageMax = 1000;

/** The newest sessions, oldest first, then each that starts. Of those nothing is left out, however many start between two looks. */
export async function* followSessions(
  api: GatewayApi,
  query: Partial<Pick<SessionsQuery, 'user' | 'actor' | 'resource'>>,
  { everyMillis, signal }: { everyMillis: number; signal: AbortSignal },
): AsyncGenerator<Session> {
  const shown = new Set<string>();
  let limit = firstMax;
  let isFirst = true;
  while (!signal.aborted) {
    const { sessions } = await pageOfSessions(api, { ...query, limit });
    const known = sessions.findIndex(({ id }) => shown.has(id));
    const fresh = known < 0 ? sessions : sessions.slice(0, known);
    const mayBeMore = known < 0 && !isFirst && sessions.length === limit && limit < pageMax;
    if (mayBeMore) {
      limit = pageMax;
      continue;
    }
    for (const session of fresh.toReversed()) {
      shown.add(session.id);
      yield session;
    }
    for (const id of shown) if (shown.size > rememberedMax) shown.delete(id);
    isFirst = false;
    limit = 50;
    await pause(everyMillis, signal);
  }
}
