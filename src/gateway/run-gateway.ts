import { join } from 'node:path';
import type { Log } from '../shared/log.ts';
import { tuneHeap } from '../shared/heap.ts';
import type { GatewayWithin } from '../tunnel/in-process.ts';
import { readGatewayConfig } from './config.ts';
import { startGateway, type RunningGateway } from './gateway.ts';

export interface GatewayProcessOptions {
  file: string | undefined;
  flags: Record<string, unknown>;
  /** A line for the person at the terminal. */
  say: (line: string) => void;
  openLog: (role: 'gateway' | 'agent', level: string) => Log;
  /** Reads an agent's configuration, and gives what serves its resources. */
  openAgent: (file: string, stateDir: string, log: Log) => Promise<{ serve(gateway: GatewayWithin): Promise<void> }>;
}

/** `hoop gateway start`: until SIGTERM or SIGINT, then drains and seals. A second signal ends it at once. */
export async function runGateway({ file, flags, say, openLog, openAgent }: GatewayProcessOptions): Promise<void> {
  const config = await readGatewayConfig(flags, file === undefined ? {} : { file });
  const { agent: agentFile, dataDir, logLevel } = config;
  const agent = agentFile && (await openAgent(agentFile, join(dataDir, 'agent'), openLog('agent', logLevel)));
  const gateway = await startGateway(config, { log: openLog('gateway', logLevel) });
  tuneHeap();
  if (agent) await agent.serve(gateway.within).catch((error: unknown) => stopAfter(gateway, error));
  say(`hoop gateway ${gateway.url} · data in ${dataDir}`);
  if (agent) say(agentNotice(gateway.within.served));
  if (gateway.interrupted > 0)
    say(`sessions of the last run that were interrupted, their recordings now sealed: ${gateway.interrupted}`);
  if (gateway.setupUrl !== undefined) {
    say('');
    say('No administrator yet. Open this once, or run the command:');
    say(`  ${gateway.setupUrl}`);
    say(`  hoop users create NAME --setup-code ${gateway.setupCode} --gateway ${gateway.url} --password-stdin`);
  }
  await untilSignal();
  say('stopping: running statements may finish, then recordings are sealed; again to stop at once');
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => process.exit(signal === 'SIGINT' ? 130 : 143));
  await gateway.stop();
}

const agentNotice = (served: string[]): string =>
  served.length === 0
    ? 'the agent in this process serves nothing: its resources belong to another agent; `hoop agents list` shows which'
    : `the agent in this process serves ${served.join(', ')}; it is no witness of the record`;

async function stopAfter(gateway: RunningGateway, error: unknown): Promise<never> {
  await gateway.stop();
  throw error;
}

function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
}
