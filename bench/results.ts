import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describeMachine } from './machine.ts';

/** Keeps what a benchmark found beside the commit and the machine that it holds for. */
export function keepResults(benchmark: string, found: Record<string, unknown>): void {
  const machine = describeMachine();
  const at = new Date().toISOString();
  const file = new URL(
    `./results/${benchmark}-${at.slice(0, 16).replace(':', '')}-${machine.commit}.json`,
    import.meta.url,
  );
  mkdirSync(new URL('.', file), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ benchmark, at, machine, ...found }, undefined, 2)}\n`);
  console.log(`\n${machine.processors}, ${machine.kernel}, node ${machine.node}; kept in ${fileURLToPath(file)}`);
}
