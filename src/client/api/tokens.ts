import type * as z from 'zod';
import { tokenCreatedSchema, tokensSchema, type createTokenSchema } from '../../shared/api.ts';
import type { GatewayApi, Query } from '../gateway-api.ts';

export const listTokens = (api: GatewayApi, query: Query = {}) => api.get(tokensSchema, '/tokens', query);
export const createToken = (api: GatewayApi, token: z.input<typeof createTokenSchema>) =>
  api.post(tokenCreatedSchema, '/tokens', token);
export const revokeToken = (api: GatewayApi, id: string) => api.delete(`/tokens/${encodeURIComponent(id)}`);
