import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { freePort, type PostgresServer } from '../src/demo/postgres.ts';
import { found } from './found.ts';
import { ended, startInstallation, untilSaid, type Installation, type InstallationOptions } from './installation.ts';

/** One way to the same PostgreSQL. */
export interface Target {
  name: string;
  /** For libpq and the drivers. */
  environment: Record<string, string>;
  /** The processes on the way, by role: what they cost is measured. */
  processes: Record<string, number>;
  stop(): Promise<void>;
}

const loopback = '127.0.0.1';

export function direct(postgres: PostgresServer): Target {
  const { port, user, password, database } = postgres;
  const environment = {
    PGHOST: loopback,
    PGPORT: String(port),
    PGUSER: user,
    PGPASSWORD: password,
    PGDATABASE: database,
  };
  return { name: 'direct', environment, processes: {}, stop: () => Promise.resolve() };
}

/** PgBouncer as people run it before an application: one hop, sessions pooled, nothing recorded. Undefined where it is not installed. */
export async function pgBouncer(postgres: PostgresServer): Promise<Target | undefined> {
  const program = found('pgbouncer');
  if (program === undefined) return undefined;
  const { folder, port } = await place();
  writeFileSync(join(folder, 'users.txt'), `"${postgres.user}" "${postgres.password}"\n`);
  const config = join(folder, 'pgbouncer.ini');
  const settings = {
    listen_addr: loopback,
    listen_port: port,
    unix_socket_dir: '',
    auth_type: 'scram-sha-256',
    auth_file: join(folder, 'users.txt'),
    pool_mode: 'session',
    default_pool_size: 150,
    max_client_conn: 2000,
    ignore_startup_parameters: 'extra_float_digits',
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
  writeFileSync(
    config,
    `[databases]\n${postgres.database} = host=${loopback} port=${postgres.port}\n[pgbouncer]\n${lines.join('\n')}\n`,
  );
  // It refuses to be root.
  const child = spawn(program, [...(process.getuid?.() === 0 ? ['-u', 'nobody'] : []), config], { stdio: 'ignore' });
  return proxy({ name: 'PgBouncer', child, port, folder, postgres });
}

/** HAProxy in TCP mode: the least that one hop costs. Undefined where it is not installed. */
export async function haProxy(postgres: PostgresServer): Promise<Target | undefined> {
  const program = found('haproxy');
  if (program === undefined) return undefined;
  const { folder, port } = await place();
  const config = join(folder, 'haproxy.cfg');
  writeFileSync(
    config,
    `defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n  maxconn 2000\n` +
      `frontend in\n  bind ${loopback}:${port}\n  default_backend out\n` +
      `backend out\n  server postgres ${loopback}:${postgres.port}\n`,
  );
  const child = spawn(program, ['-db', '-f', config], { stdio: 'ignore' });
  return proxy({ name: 'HAProxy', child, port, folder, postgres });
}

/** The same three processes and tunnel, without decoder, record and witness; or with the least record that is durable before it is forwarded. */
export async function bytesOnly(postgres: PostgresServer, isDurable = false): Promise<Target> {
  const folder = mkdtempSync(join(tmpdir(), 'hoop-bench-'));
  const program = join(folder, 'bytes-only.mjs');
  await build({
    entryPoints: [fileURLToPath(new URL('./bytes-only.ts', import.meta.url))],
    outfile: program,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    banner: { js: "import{createRequire as makeRequire}from'node:module';const require=makeRequire(import.meta.url);" },
    logLevel: 'warning',
  });
  const start = async (args: string[], ready: RegExp) => {
    const child = spawn(process.execPath, [program, ...args]);
    return { child, said: (await untilSaid(child, ready))[0] };
  };
  const gateway = await start(['gateway', ...(isDurable ? [join(folder, 'record')] : [])], /^ws:\S+/m);
  const agent = await start(['agent', gateway.said, loopback, String(postgres.port)], /^linked/m);
  const client = await start(['client', gateway.said], /^\d+/m);
  return {
    name: isDurable ? 'bytes, durable' : 'bytes only',
    environment: { ...direct(postgres).environment, PGPORT: client.said },
    processes: { client: client.child.pid!, gateway: gateway.child.pid!, agent: agent.child.pid! },
    async stop() {
      for (const { child } of [client, agent, gateway]) await ended(child);
      rmSync(folder, { recursive: true });
    },
  };
}

/** hoop as it is used. */
export async function hoop(
  postgres: PostgresServer,
  name: string,
  { resource, ...options }: Omit<InstallationOptions, 'postgres'> & { resource?: string } = {},
): Promise<Target & { installation: Installation }> {
  const installation = await startInstallation({ ...options, postgres });
  const { child, environment } = await installation.connect(resource);
  const { gateway, agent } = installation;
  return {
    name,
    installation,
    environment,
    processes: { client: child.pid!, gateway: gateway.pid!, ...(agent && { agent: agent.pid! }) },
    async stop() {
      await installation[Symbol.asyncDispose]();
    },
  };
}

async function place(): Promise<{ folder: string; port: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'hoop-bench-'));
  chmodSync(folder, 0o755);
  return { folder, port: await freePort() };
}

async function proxy(parts: {
  name: string;
  child: ChildProcess;
  port: number;
  folder: string;
  postgres: PostgresServer;
}): Promise<Target> {
  const { name, child, port, folder, postgres } = parts;
  await untilListens(child, port);
  return {
    name,
    environment: { ...direct(postgres).environment, PGPORT: String(port) },
    processes: { proxy: child.pid! },
    async stop() {
      await ended(child, 'SIGKILL'); // they would wait for their clients
      rmSync(folder, { recursive: true });
    },
  };
}

async function untilListens(child: ChildProcess, port: number): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended with ${child.exitCode}`);
    const listens = await new Promise<boolean>((resolve) => {
      const socket = createConnection({ host: loopback, port });
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (listens) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
