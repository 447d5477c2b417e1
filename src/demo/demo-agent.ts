import { serveWithin } from '../agent/colocated-agent.ts';
import { parseAgentConfig } from '../agent/config.ts';
import { silentLog } from '../shared/log.ts';
import type { GatewayWithin } from '../tunnel/in-process.ts';
import type { PostgresServer } from './postgres.ts';

/** An agent with the one resource orders-db, until the gateway stops. */
export function startDemoAgent(gateway: GatewayWithin, database: PostgresServer, stateDir: string): Promise<void> {
  const { port, user, password } = database;
  const resource = {
    name: 'orders-db',
    protocol: 'postgres',
    address: `127.0.0.1:${port}`,
    database: database.database,
    tls: { mode: 'disable' },
    credentials: { user, password },
  };
  const config = parseAgentConfig(
    JSON.stringify({ resources: [resource] }),
    'the demo’s agent configuration',
    stateDir,
  );
  return serveWithin(gateway, config, silentLog);
}
