import { runAgent } from '../agent/agent.ts';
import type { AgentKey } from '../agent/key.ts';
import { parseAgentConfig } from '../agent/config.ts';
import type { Log } from '../shared/log.ts';
import type { PostgresServer } from './postgres.ts';

export interface DemoAgentOptions {
  gateway: string;
  database: PostgresServer;
  key: AgentKey;
  joinToken: string;
  log: Log;
}

/** An agent with the one resource orders-db; resolves when it is linked. */
export async function startDemoAgent({
  gateway,
  database,
  key,
  joinToken,
  log,
}: DemoAgentOptions): Promise<{ stop(): Promise<void> }> {
  const { port, user, password } = database;
  const resource = {
    name: 'orders-db',
    protocol: 'postgres',
    address: `127.0.0.1:${port}`,
    database: database.database,
    tls: { mode: 'disable' },
    credentials: { user, password },
  };
  const config = parseAgentConfig(JSON.stringify({ resources: [resource] }), 'the demo’s agent configuration');
  const stop = new AbortController();
  let linked!: () => void;
  const ready = new Promise<void>((resolve) => (linked = resolve));
  const done = runAgent({
    gateway,
    config,
    key,
    joinToken,
    log,
    colocated: true,
    signal: stop.signal,
    onLinked: linked,
  });
  await Promise.race([ready, done]);
  return {
    async stop() {
      stop.abort();
      await done;
    },
  };
}
