import type * as z from 'zod';
import { erasedSchema, holdSchema, recordingStatsSchema, type eraseSchema } from '../../shared/api.ts';
import type { GatewayApi } from '../gateway-api.ts';

const path = (session: string): string => `/recordings/${encodeURIComponent(session)}`;

export const recordingStats = (api: GatewayApi) => api.get(recordingStatsSchema, '/recordings/stats');
export const eraseEntries = (api: GatewayApi, session: string, order: z.input<typeof eraseSchema>) =>
  api.post(erasedSchema, `${path(session)}/erase`, order);
export const holdRecording = (api: GatewayApi, session: string, reason?: string) =>
  api.put(holdSchema, `${path(session)}/hold`, reason === undefined ? {} : { reason });
export const releaseHold = (api: GatewayApi, session: string) => api.delete(`${path(session)}/hold`);
