import { createReadStream, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { run } from '../test/support/run.ts';
import { median, percentile } from './machine.ts';
import type { Cell, Sample } from './rounds.ts';
import type { Target } from './targets.ts';

/** Megabytes that a COPY carries. */
const copyMb = 100;

export function pgbenchCell(mode: 'simple' | 'extended' | 'prepared', clients: number): Cell {
  return {
    name: `pgbench -S -M ${mode}, ${clients} client${clients === 1 ? '' : 's'}`,
    unit: 'tps',
    play: (target, seconds) => pgbench(target, seconds, clients, ['-S', '-M', mode]),
  };
}

/** Seven statements in each transaction, four of them writes. */
export const tpcbCell: Cell = {
  name: 'pgbench tpcb-like, prepared, 8 clients',
  unit: 'tps',
  async play(target, seconds) {
    const sample = await pgbench(target, seconds, 8, ['-M', 'prepared']);
    return { ...sample, perSecond: sample.value * 7 };
  },
};

/** A client that sends a hundred statements before it reads an answer. */
export function pipelineCell(folder: string): Cell {
  const script = join(folder, 'pipeline.sql');
  const one = 'select abalance from pgbench_accounts where aid = :aid;\n';
  writeFileSync(script, `\\set aid random(1, 100000)\n\\startpipeline\n${one.repeat(pipelined)}\\endpipeline\n`);
  return {
    name: `pipelines of ${pipelined}, prepared, 1 client`,
    unit: 'tps',
    async play(target, seconds) {
      const sample = await pgbench(target, seconds, 1, ['-M', 'prepared', '-f', script]);
      return { value: sample.value * pipelined, perSecond: sample.value * pipelined };
    },
  };
}
const pipelined = 100;

async function pgbench(target: Target, seconds: number, clients: number, args: string[]): Promise<Sample> {
  const all = ['-n', '-c', String(clients), '-j', '2', '-T', String(seconds), ...args];
  const { stdout, stderr } = await run('pgbench', all, { env: target.environment });
  const tps = /tps = ([\d.]+) \(without/.exec(stdout)?.[1];
  if (tps === undefined) throw new Error(`pgbench on ${target.name} failed: ${stderr}${stdout}`);
  return { value: Number(tps), perSecond: Number(tps) };
}

/** How long one client waits for one answer. */
export function latencyCell(percent: 50 | 99): Cell {
  return {
    name: `latency p${percent}, pgbench -S -M prepared, 1 client`,
    unit: 'ms',
    async play(target, seconds) {
      const folder = mkdtempSync(join(tmpdir(), 'hoop-bench-latency-'));
      const sample = await pgbench(target, seconds, 1, [
        '-S',
        '-M',
        'prepared',
        '-l',
        '--log-prefix',
        join(folder, 'log'),
      ]);
      // client, transaction, microseconds, script, time
      const micros = readdirSync(folder).flatMap((name) =>
        readFileSync(join(folder, name), 'utf8')
          .trimEnd()
          .split('\n')
          .map((line) => Number(line.split(' ')[2])),
      );
      rmSync(folder, { recursive: true });
      return { ...sample, value: percentile(micros, percent) / 1000 };
    },
  };
}

/** From the connect to the first row; hoop's tunnel and link stand. */
export const firstRowCell: Cell = {
  name: 'connection to first row',
  unit: 'ms',
  async play(target) {
    const times: number[] = [];
    for (let attempt = 0; attempt < 40; attempt++) {
      const started = performance.now();
      const client = clientOf(target);
      await client.connect();
      await client.query('select 1');
      times.push(performance.now() - started);
      await client.end();
    }
    return { value: median(times) };
  },
};

export const copyOutCell: Cell = {
  name: `COPY of ${copyMb} MB out`,
  unit: 'MB/s',
  play: (target) =>
    transfer(target, ['-c', `copy (select repeat('x', 999) from generate_series(1, ${copyMb * 1000})) to stdout`]),
};

export const selectCell: Cell = {
  name: `SELECT of ${copyMb} MB`,
  unit: 'MB/s',
  play: (target) =>
    transfer(target, [
      '-v',
      'FETCH_COUNT=0',
      '-c',
      `select repeat('x', 999) from generate_series(1, ${copyMb * 1000})`,
      '-o',
      '/dev/null',
    ]),
};

export function copyInCell(folder: string): Cell {
  const file = join(folder, 'copy.txt');
  writeFileSync(file, `${'x'.repeat(999)}\n`.repeat(copyMb * 1000));
  return {
    name: `COPY of ${copyMb} MB in`,
    unit: 'MB/s',
    play: (target) =>
      transfer(
        target,
        ['-c', 'create temp table copied (line text)', '-c', 'copy copied from stdin'],
        createReadStream(file),
      ),
  };
}

async function transfer(target: Target, args: string[], input?: ReturnType<typeof createReadStream>): Promise<Sample> {
  const started = performance.now();
  const { code, stderr } = await run('psql', ['-X', '-q', '-A', '-t', ...args], {
    env: target.environment,
    keepBytes: 0,
    ...(input ? { input } : {}),
  });
  if (code !== 0) throw new Error(`psql on ${target.name} failed: ${stderr}`);
  return { value: (copyMb * 1000) / (performance.now() - started) };
}

export function clientOf({ environment }: Pick<Target, 'environment'>): pg.Client {
  const { PGHOST: host, PGPORT: port, PGUSER: user, PGPASSWORD: password, PGDATABASE: database } = environment;
  return new pg.Client({ host: host!, port: Number(port), user: user!, password: password!, database: database! });
}
