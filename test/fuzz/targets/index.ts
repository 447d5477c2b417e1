import type { Target } from '../engine/target.ts';
import { postgresDecoder } from './postgres-decoder.ts';
import { postgresLogin } from './postgres-login.ts';
import { redisDecoder } from './redis-decoder.ts';

/** Everything that is fuzzed, by name. A protocol's decoder is one file and one line here. */
export const targets: Record<string, () => Promise<Target>> = {
  'postgres-decoder': postgresDecoder,
  'postgres-login': postgresLogin,
  'redis-decoder': redisDecoder,
};
