import { execFile, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type pg from 'pg';
import { test } from 'vitest';
import { clientOf } from './cells.ts';
import { ended, startInstallation, untilSaid } from './installation.ts';
import { median, processorMicros, residentMib } from './machine.ts';
import { keepResults } from './results.ts';

const entry = fileURLToPath(new URL('../bin/run.js', import.meta.url));
/** In sessions of 250: one may have 256. */
const streams = Number(process.env['HOOP_BENCH_STREAMS'] ?? 1000);
/** What the first streams load and compile, and what the threads keep that derive their keys, is not the streams' own. */
const firstStreams = 100;
const streamsPerSession = 250;
const restMillis = 10_000;
const quietMillis = 10_000;

test('starts, and memory at rest', async () => {
  const more = 2 * streams;
  await using installation = await startInstallation({ settings: [`max_connections = ${more + 100}`] });
  const { cli, gateway } = installation;
  // Node 20 reads this at every start, which on some machines takes twice as long as the rest of its start.
  const { NODE_EXTRA_CA_CERTS: _, ...env } = cli.environment();
  const starts = {
    'node -e 0': await medianMillis(['-e', '0'], env),
    'hoop --version': await medianMillis([entry, '--version'], env),
    'hoop sessions --json': await medianMillis([entry, 'sessions', '--json'], env),
    // To the moment at which it is of use: the port is open, the server has said what it is.
    'hoop connect': await medianMillis([entry, 'connect', 'orders-db', '--port', '0', '--json'], env, /^\{.*\}$/m),
    'hoop mcp': await medianMillis([entry, 'mcp', 'orders-db'], env, /^\{.*"serverInfo".*\}$/m),
  };
  console.log('start of a command, milliseconds (median of 11, after a warm-up)');
  for (const [name, millis] of Object.entries(starts)) console.log(`  ${name.padEnd(24)} ${millis.toFixed(0)}`);

  const connected = [await installation.connect()];
  const clients: pg.Client[] = [];
  /** Resident memory once there are so many. */
  const mibWith = async (count: number) => {
    while (clients.length < count) {
      if (clients.length === connected.length * streamsPerSession) connected.push(await installation.connect());
      await addStreams(clients, Math.min(count, connected.length * streamsPerSession), connected.at(-1)!);
    }
    await pause(restMillis);
    return residentMib(gateway.pid!).now;
  };
  const before = await mibWith(firstStreams);
  const after = await mibWith(streams);
  const micros = processorMicros(gateway.pid!);
  await pause(quietMillis);
  const percent = (processorMicros(gateway.pid!) - micros) / (quietMillis * 10);
  const kibPerStream = ((after - before) * 1024) / (streams - firstStreams);
  const further = await mibWith(more);
  // What came with the first is not in it, whenever V8 let go of that.
  const kibPerFurther = ((further - after) * 1024) / (more - streams);
  console.log('gateway at rest');
  console.log(`  with ${firstStreams} idle streams      ${before.toFixed(1)} MiB`);
  console.log(`  with ${streams} idle streams     ${after.toFixed(1)} MiB: ${kibPerStream.toFixed(1)} KiB each`);
  console.log(`  processor time then        ${percent.toFixed(2)} %`);
  console.log(
    `  with ${more} idle streams     ${further.toFixed(1)} MiB: ${kibPerFurther.toFixed(1)} KiB each of the further`,
  );
  keepResults('idle', { starts, streams, mib: { before, after, further }, kibPerStream, kibPerFurther, percent });
  await Promise.all(clients.map((client) => client.end()));
});

async function addStreams(
  clients: pg.Client[],
  count: number,
  { environment }: { environment: Record<string, string> },
): Promise<void> {
  while (clients.length < count) {
    const client = clientOf({ environment });
    await client.connect();
    await client.query('select 1');
    clients.push(client);
  }
}

/** From the start to the end, or until a program that stays has said this; its input is the first thing that an MCP client says. */
async function medianMillis(args: string[], env: Record<string, string>, said?: RegExp): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < 12; round++) {
    const millis = said ? await millisUntilSaid(args, env, said) : await millisToEnd(args, env);
    if (round > 0) times.push(millis);
  }
  return median(times);
}

async function millisToEnd(args: string[], env: Record<string, string>): Promise<number> {
  const started = performance.now();
  await promisify(execFile)(process.execPath, args, { env });
  return performance.now() - started;
}

async function millisUntilSaid(args: string[], env: Record<string, string>, said: RegExp): Promise<number> {
  const started = performance.now();
  const child = spawn(process.execPath, args, { env });
  child.stdin.write(`${JSON.stringify(initialize)}\n`);
  await untilSaid(child, said);
  const millis = performance.now() - started;
  await ended(child);
  return millis;
}

const initialize = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'bench', version: '1' } },
};

/** Lets the garbage of what went before be collected by itself. */
const pause = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis));
