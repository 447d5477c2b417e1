import { agentCreatedSchema, agentsSchema } from '../../shared/api.ts';
import type { GatewayApi } from '../gateway-api.ts';

const path = (name: string): string => `/agents/${encodeURIComponent(name)}`;

export const listAgents = (api: GatewayApi) => api.get(agentsSchema, '/agents');
export const createAgent = (api: GatewayApi, name: string) => api.post(agentCreatedSchema, '/agents', { name });
export const removeAgent = (api: GatewayApi, name: string) => api.delete(path(name));
export const newJoinToken = (api: GatewayApi, name: string) => api.post(agentCreatedSchema, `${path(name)}/join-token`);
