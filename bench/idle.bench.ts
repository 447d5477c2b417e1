import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { test } from 'vitest';
import { rssKib, startInstallation } from './installation.ts';

const entry = fileURLToPath(new URL('../bin/run.js', import.meta.url));
const streams = 200;

test('starts, and memory at rest', async () => {
  await using installation = await startInstallation([`max_connections = ${streams + 50}`]);
  const { cli, gateway } = installation;
  const env = cli.environment();
  console.log('start of a command, milliseconds (median of 11, after a warm-up)');
  console.log(`  node -e 0               ${await medianMillis(['-e', '0'], env)}`);
  console.log(`  hoop --version          ${await medianMillis([entry, '--version'], env)}`);
  console.log(
    `  hoop sessions --json    ${await medianMillis([entry, 'sessions', '--json'], env)}   (asks the gateway)`,
  );

  const { environment } = await installation.connect();
  const clients: pg.Client[] = [];
  await addStreams(clients, 10, environment); // what the first streams load is not the streams' own
  await quiet();
  const before = rssKib(gateway);
  await addStreams(clients, streams, environment);
  await quiet();
  const after = rssKib(gateway);
  console.log('gateway’s resident memory');
  console.log(`  with one session        ${(before / 1024).toFixed(1)} MiB`);
  console.log(
    `  with ${streams} idle streams    ${(after / 1024).toFixed(1)} MiB: ${((after - before) / streams).toFixed(1)} KiB each`,
  );
  await Promise.all(clients.map((client) => client.end()));
});

async function addStreams(clients: pg.Client[], count: number, environment: Record<string, string>): Promise<void> {
  const { PGHOST: host, PGPORT: port, PGUSER: user, PGPASSWORD: password, PGDATABASE: database } = environment;
  for (let index = 0; index < count; index++) {
    const client = new pg.Client({
      host: host!,
      port: Number(port),
      user: user!,
      password: password!,
      database: database!,
    });
    await client.connect();
    await client.query('select 1');
    clients.push(client);
  }
}

async function medianMillis(args: string[], env: Record<string, string>): Promise<string> {
  const times: number[] = [];
  for (let round = 0; round < 12; round++) {
    const started = performance.now();
    await promisify(execFile)(process.execPath, args, { env });
    if (round > 0) times.push(performance.now() - started);
  }
  return times.toSorted((a, b) => a - b)[5]!.toFixed(0);
}

/** Lets the garbage of the set-up be collected by itself. */
const quiet = () => new Promise((resolve) => setTimeout(resolve, 3000));
