import { rolledOverSchema } from '../../shared/api.ts';
import type { GatewayApi } from '../gateway-api.ts';

export const rotateLogKey = (api: GatewayApi) => api.post(rolledOverSchema, '/log/key');
