import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'vitest';
import { say } from '../test/support/frontend-messages.ts';
import { RawClient } from '../test/support/raw-client.ts';
import { startInstallation, type Installation } from './installation.ts';
import { residentMib } from './machine.ts';
import { keepResults } from './results.ts';

const entry = fileURLToPath(new URL('../bin/run.js', import.meta.url));
const statements = Number(process.env['HOOP_BENCH_STATEMENTS'] ?? 1_000_000);
const batch = 1000;

test('reading back a long session', async () => {
  await using installation = await startInstallation();
  const { environment, child } = await installation.connect();
  await record(environment);
  child.kill('SIGINT');
  await new Promise((resolve) => child.once('close', resolve));
  const found: Record<string, Figures> = {};
  console.log(`a session of ${statements.toLocaleString('en-US')} statements`);
  for (const format of (process.env['HOOP_BENCH_FORMATS'] ?? 'text,json,csv,html,sql').split(','))
    found[format] = await written(installation, format);
  found['--play'] = await played(installation);
  for (const [name, { firstMillis, seconds, mib }] of Object.entries(found))
    console.log(
      `  ${name.padEnd(8)} first after ${firstMillis.toFixed(0)} ms, all after ${seconds.toFixed(1)} s, at most ${mib.toFixed(0)} MiB`,
    );
  keepResults('replay', { statements, found });
});

interface Figures {
  /** To the first statement that is shown, from the start of the process. */
  firstMillis: number;
  /** To the last one. */
  seconds: number;
  mib: number;
}

async function record({ PGPORT, PGUSER, PGPASSWORD, PGDATABASE }: Record<string, string>): Promise<void> {
  const login = { port: Number(PGPORT), user: PGUSER!, password: PGPASSWORD!, database: PGDATABASE! };
  const client = await RawClient.open(login);
  client.received.length = 0;
  for (let done = 0; done < statements; done += batch) {
    const texts = Array.from({ length: batch }, (_, index) =>
      say.query(`select ${done + index} as id, 'a line of text as an agent writes it' as note where 1 = ${index % 7}`),
    );
    client.send(...texts);
    await client.ready(batch);
  }
  await client.close();
}

/** Of a child of which nothing is kept. */
function written({ cli }: Installation, format: string): Promise<Figures> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const child = spawn(process.execPath, [entry, 'replay', 'last', '--format', format], { env: cli.environment() });
    let bytes = 0;
    let firstMillis = 0;
    let mib = 0;
    const look = setInterval(() => (mib = Math.max(mib, peakMib(child.pid!))), 50);
    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      // The first bytes are a heading; a page's are its style.
      if (firstMillis === 0 && (bytes > 20_000 || chunk.includes('select 0')))
        firstMillis = performance.now() - started;
    });
    child.stderr.pipe(process.stderr);
    child.once('close', (code) => {
      clearInterval(look);
      if (code === 0) resolve({ firstMillis, seconds: (performance.now() - started) / 1000, mib });
      else reject(new Error(`hoop replay --format ${format} ended with ${code}`));
    });
  });
}

/** In a real terminal. */
async function played({ cli }: Installation): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), 'hoop-bench-'));
  const tmux = (...args: string[]) =>
    execFileSync('tmux', ['-S', join(folder, 'socket'), '-f', '/dev/null', ...args], { encoding: 'utf8' });
  const exports = Object.entries(cli.environment()).map(
    ([name, value]) => `export ${name}='${value.replaceAll("'", String.raw`'\''`)}'`,
  );
  writeFileSync(
    join(folder, 'run.sh'),
    [...exports, `exec '${process.execPath}' '${entry}' replay last --play`].join('\n'),
  );
  const started = performance.now();
  tmux('new-session', '-d', '-s', 'play', '-x', '80', '-y', '24', `sh ${join(folder, 'run.sh')}`);
  const pid = Number(tmux('display-message', '-p', '-t', 'play', '#{pane_pid}'));
  const shows = async (pattern: RegExp) => {
    while (!pattern.test(tmux('capture-pane', '-p', '-t', 'play')))
      await new Promise((resolve) => setTimeout(resolve, 20));
    return performance.now() - started;
  };
  try {
    const firstMillis = await shows(/1 of [\d,]+/);
    const seconds = (await shows(new RegExp(`1 of ${statements.toLocaleString('en-US')}(?! …)`))) / 1000;
    return { firstMillis, seconds, mib: peakMib(pid) };
  } finally {
    try {
      tmux('kill-server');
    } catch {
      // what it ran has ended, and it with it
    }
    rmSync(folder, { recursive: true, force: true });
  }
}

function peakMib(pid: number): number {
  try {
    return residentMib(pid).peak || 0; // NaN while it ends
  } catch {
    return 0; // it has ended
  }
}
