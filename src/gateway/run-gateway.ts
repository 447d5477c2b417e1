import type { Log } from '../shared/log.ts';
import { tuneHeap } from '../shared/heap.ts';
import { readGatewayConfig } from './config.ts';
import { startGateway } from './gateway.ts';

export interface GatewayProcessOptions {
  file: string | undefined;
  flags: Record<string, unknown>;
  /** A line for the person at the terminal. */
  say: (line: string) => void;
  openLog: (level: string) => Log;
}

/** `hoop gateway start`: until SIGTERM or SIGINT, then drains and seals. A second signal ends it at once. */
export async function runGateway({ file, flags, say, openLog }: GatewayProcessOptions): Promise<void> {
  const config = await readGatewayConfig(flags, file === undefined ? {} : { file });
  const gateway = await startGateway(config, { log: openLog(config.logLevel) });
  tuneHeap();
  say(`hoop gateway ${gateway.url} · data in ${config.dataDir}`);
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

function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
}
