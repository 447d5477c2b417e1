import type { SessionsPage, SessionsQuery } from '../shared/api.ts';
import { pageOfSessions } from './api/sessions.ts';
import type { GatewayApi } from './gateway-api.ts';

/** As many as are asked for: a gateway that looks for text answers in pages that may be short, so that it serves others meanwhile. */
export async function listSessions(
  api: GatewayApi,
  query: Partial<SessionsQuery>,
  limit: number,
): Promise<SessionsPage> {
  const sessions: SessionsPage['sessions'] = [];
  let after = query.after;
  for (;;) {
    const page = await pageOfSessions(api, {
      ...query,
      limit: limit - sessions.length,
      ...(after === undefined ? {} : { after }),
    });
    sessions.push(...page.sessions);
    if (page.next === null || sessions.length >= limit) return { sessions, next: page.next };
    after = page.next;
  }
}
