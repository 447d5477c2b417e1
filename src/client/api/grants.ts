import type * as z from 'zod';
import { grantSchema, grantsSchema, type createGrantSchema } from '../../shared/api.ts';
import type { GatewayApi, Query } from '../gateway-api.ts';

export const listGrants = (api: GatewayApi, query: Query = {}) => api.get(grantsSchema, '/grants', query);
export const createGrant = (api: GatewayApi, grant: z.input<typeof createGrantSchema>) =>
  api.post(grantSchema, '/grants', grant);
export const removeGrant = (api: GatewayApi, id: string) => api.delete(`/grants/${encodeURIComponent(id)}`);
