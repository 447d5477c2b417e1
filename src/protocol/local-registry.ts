import { postgresLocal } from './postgres/local.ts';
import type { LocalProtocol } from './protocol.ts';
import { redisLocal } from './redis/local.ts';

/** The client's part of every protocol in registry.ts. */
const protocols: LocalProtocol[] = [postgresLocal, redisLocal];

export const localProtocolNamed = (name: string): LocalProtocol | undefined =>
  protocols.find((protocol) => protocol.name === name);
