import { UserError } from '../shared/errors.ts';
import type { Log } from '../shared/log.ts';
import { runAgent } from './agent.ts';
import { readAgentConfig } from './config.ts';
import { tuneHeap } from '../shared/heap.ts';
import { loadAgentKey } from './key.ts';
import { warnOfUnsetVariables } from './secret.ts';

export interface AgentProcessOptions {
  configFile: string;
  gateway: string | undefined;
  joinToken: string | undefined;
  /** Wins over the file's `caFile`. */
  caFile: string | undefined;
  log: Log;
}

/** `hoop agent start`: until SIGTERM or SIGINT. Throws UserError for what trying again cannot cure. */
export async function runAgentProcess({
  configFile,
  gateway,
  joinToken,
  caFile,
  log,
}: AgentProcessOptions): Promise<void> {
  const written = await readAgentConfig(configFile);
  const config = caFile === undefined ? written : { ...written, caFile };
  const url = gateway ?? process.env['HOOP_GATEWAY'] ?? config.gateway;
  if (url === undefined) {
    throw new UserError('HOOP_CONFIG', 'the agent does not know its gateway', {
      next: `give --gateway, or set \`gateway:\` in ${configFile}`,
    });
  }
  const key = await loadAgentKey(config.stateDir);
  if (key.fresh && joinToken === undefined) {
    throw new UserError('HOOP_JOIN_TOKEN', 'this agent has never joined a gateway', {
      next: 'run `hoop agents create NAME` as an administrator and start the agent with --join TOKEN',
    });
  }
  warnOfUnsetVariables(config, log);
  tuneHeap();
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  await runAgent({
    gateway: url,
    config,
    key,
    log,
    signal: stop.signal,
    ...(joinToken === undefined ? {} : { joinToken }),
    onLinked: (agent) =>
      log.info({ agent, gateway: url, resources: config.resources.map(({ name }) => name) }, 'linked'),
  });
}
