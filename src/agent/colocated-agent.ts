import type { Log } from '../shared/log.ts';
import type { GatewayWithin } from '../tunnel/in-process.ts';
import { runAgent } from './agent.ts';
import { readAgentConfig, type AgentConfig } from './config.ts';
import { existingAgentKey, loadAgentKey } from './key.ts';
import { warnOfUnsetVariables } from './secret.ts';

/**
 * An agent for `hoop gateway start --agent`. Where its configuration names no folder for its key it is `stateDir`, unless it has run as a
 * process of its own: it goes on as who it was then. Throws HOOP_CONFIG.
 */
export async function openColocatedAgent(file: string, stateDir: string, log: Log) {
  const own = await readAgentConfig(file);
  const config = (await existingAgentKey(own.stateDir)) ? own : await readAgentConfig(file, stateDir);
  return { serve: (gateway: GatewayWithin) => serveWithin(gateway, config, log) };
}

/**
 * Serves the resources in the gateway's own process until it stops; resolves when they are served. Throws UserError for what keeps them
 * from it.
 */
export async function serveWithin(gateway: GatewayWithin, config: AgentConfig, log: Log): Promise<void> {
  const key = await loadAgentKey(config.stateDir);
  const joinToken = await gateway.join(key.publicKey);
  warnOfUnsetVariables(config, log);
  await new Promise<void>((resolve, reject) => {
    const ended = (error: Error) => {
      log.error({ error: error.message }, 'the agent in the gateway’s process has ended');
      reject(error);
    };
    runAgent({
      gateway: gateway.url,
      within: gateway,
      config,
      key,
      log,
      signal: gateway.stopping,
      ...(joinToken === undefined ? {} : { joinToken }),
      onLinked: () => resolve(),
    }).then(resolve, ended);
  });
}
