import { whoamiSchema, type Whoami } from '../../shared/api.ts';
import type { GatewayApi } from '../gateway-api.ts';

export const whoami = (api: GatewayApi): Promise<Whoami> => api.get(whoamiSchema, '/whoami');
