import {
  receiptsSchema,
  sessionSchema,
  sessionsSchema,
  statementSchema,
  streamsSchema,
  type SessionsQuery,
  type Statement,
} from '../../shared/api.ts';
import type { GatewayApi } from '../gateway-api.ts';

/** `id`, here and below: an id, a unique prefix, or `last`. */
const path = (id: string): string => `/sessions/${encodeURIComponent(id)}`;

export const pageOfSessions = (api: GatewayApi, query: Partial<SessionsQuery> = {}) =>
  api.get(sessionsSchema, '/sessions', query);
export const getSession = (api: GatewayApi, id: string) => api.get(sessionSchema, path(id));
export const receiptsOf = (api: GatewayApi, id: string) => api.get(receiptsSchema, `${path(id)}/receipts`);
export const streamsOf = async (api: GatewayApi, id: string) =>
  (await api.get(streamsSchema, `${path(id)}/streams`)).streams;

/** In order (`follow`: as they are answered, to the session's end). */
export const statementsOf = (
  api: GatewayApi,
  id: string,
  { follow = false }: { follow?: boolean } = {},
): AsyncGenerator<Statement> =>
  api.lines(statementSchema, `${path(id)}/statements${follow ? '?follow=true' : ''}`, { beats: follow });

/** The recording's entries as they are on disk, each behind its length; `recordedEntries` reads them. */
export async function* entriesOf(api: GatewayApi, id: string): AsyncGenerator<Uint8Array> {
  yield* (await api.request('GET', `${path(id)}/entries`)).chunks;
}

/** The file of `hoop sessions export`; throws where the answer is cut off. `heldSize`: with a proof from that size of the log on. */
export const exportOf = async (api: GatewayApi, id: string, heldSize?: number): Promise<AsyncIterable<Uint8Array>> =>
  (await api.request('GET', `${path(id)}/export${heldSize === undefined ? '' : `?heldSize=${heldSize}`}`)).chunks;

export const killSession = (api: GatewayApi, id: string, reason?: string): Promise<void> =>
  api.order(`${path(id)}/kill`, reason === undefined ? {} : { reason });
