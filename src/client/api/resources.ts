import { resourceSchema, resourcesSchema } from '../../shared/api.ts';
import type { GatewayApi } from '../gateway-api.ts';

export const listResources = (api: GatewayApi) => api.get(resourcesSchema, '/resources');
export const getResource = (api: GatewayApi, name: string) =>
  api.get(resourceSchema, `/resources/${encodeURIComponent(name)}`);
