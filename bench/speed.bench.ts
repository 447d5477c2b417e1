import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'vitest';
import { startPostgres } from '../src/demo/postgres.ts';
import { run } from '../test/support/run.ts';
import {
  copyInCell,
  copyOutCell,
  firstRowCell,
  latencyCell,
  pgbenchCell,
  pipelineCell,
  selectCell,
  tpcbCell,
} from './cells.ts';
import { residentMib } from './machine.ts';
import { Results } from './results.ts';
import { playCell, showCell, type Cell, type CellResult } from './rounds.ts';
import { bytesOnly, direct, haProxy, hoop, pgBouncer, type Target } from './targets.ts';

/** Parts of cells' and targets' names, separated by semicolons: `HOOP_BENCH_CELLS='64 clients; COPY'`. */
const wanted = (names: string | undefined, name: string): boolean =>
  names === undefined || names.split(';').some((part) => name.includes(part.trim()));

test('speed, side by side in interleaved rounds', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hoop-bench-'));
  const postgres = await startPostgres({ database: 'orders', settings: ['max_connections = 400'] });
  const targets = await startTargets(postgres);
  try {
    await run('pgbench', ['-i', '-q', '-s', '1'], { env: direct(postgres).environment });
    const found: CellResult[] = [];
    const results = new Results('speed');
    for (const cell of cellsIn(folder)) {
      const result = await playCell(cell, targets);
      showCell(result);
      found.push(result);
      results.keep({ postgres: postgres.kind, results: found, memory: targets.flatMap(memoryOf) });
    }
    const memory = targets.flatMap(memoryOf);
    console.log(`\nresident memory at the end, and at most\n${memory.map(shownMemory).join('\n')}`);
    results.show();
  } finally {
    for (const target of targets) await target.stop();
    await postgres.stop();
    rmSync(folder, { recursive: true });
  }
});

async function startTargets(postgres: Awaited<ReturnType<typeof startPostgres>>): Promise<Target[]> {
  const names = process.env['HOOP_BENCH_TARGETS'];
  const ways: [string, () => Promise<Target | undefined>][] = [
    ['PgBouncer', () => pgBouncer(postgres)],
    ['HAProxy', () => haProxy(postgres)],
    ['bytes only', () => bytesOnly(postgres)],
    ['bytes, durable', () => bytesOnly(postgres, true)],
    ['hoop, ws', () => hoop(postgres, 'hoop, ws')],
    ['hoop, one process', () => hoop(postgres, 'hoop, one process', { within: true })],
    ['hoop, wss', () => hoop(postgres, 'hoop, wss', { tls: true })],
  ];
  const targets = [direct(postgres)];
  for (const [name, start] of ways) {
    if (!wanted(names, name)) continue;
    const target = await start();
    if (target) targets.push(target);
    else console.log(`${name} is not installed: left out`);
  }
  return targets;
}

function cellsIn(folder: string): Cell[] {
  const modes = ['simple', 'extended', 'prepared'] as const;
  const all: Cell[] = [
    ...modes.flatMap((mode) => [1, 8, 64].map((clients) => pgbenchCell(mode, clients))),
    latencyCell(50),
    latencyCell(99),
    tpcbCell,
    pipelineCell(folder),
    firstRowCell,
    copyOutCell,
    copyInCell(folder),
    selectCell,
  ];
  return all.filter(({ name }) => wanted(process.env['HOOP_BENCH_CELLS'], name));
}

const memoryOf = ({ name, processes }: Target) =>
  Object.entries(processes).map(([role, pid]) => ({ target: name, role, ...residentMib(pid) }));

const shownMemory = ({ target, role, now, peak }: ReturnType<typeof memoryOf>[number]): string =>
  `  ${target.padEnd(12)} ${role.padEnd(8)} ${now.toFixed(0).padStart(5)} MiB, at most ${peak.toFixed(0)} MiB`;
