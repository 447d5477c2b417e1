import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../shared/errors.ts';
import { embeddedBinaries, installedBinaries, readableBy, type PostgresBinaries } from './postgres-binaries.ts';

export interface PostgresServer {
  port: number;
  user: string;
  password: string;
  database: string;
  /** What runs, for people. */
  kind: string;
  /** The server's own log, where there is one. */
  logFile?: string;
  stop(): Promise<void>;
}

export interface PostgresOptions {
  binaries?: PostgresBinaries;
  database?: string;
  /** Lines for postgresql.conf. */
  settings?: string[];
  /** Lines for pg_hba.conf in the place of the default (SCRAM for everybody on loopback). */
  hba?: string[];
  /** Further files of its data folder, readable by the server only (certificate, key). */
  files?: Record<string, string>;
  /** Ports to try, in the place of one that the system names. */
  ports?: () => Promise<number>;
}

/** A PostgreSQL of its own in a temporary folder, on loopback, with a random password; gone after `stop`. Throws when there are no binaries. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const found = options.binaries ?? embeddedBinaries() ?? installedBinaries();
  if (!found)
    throw new UserError('HOOP_RESOURCE_UNREACHABLE', 'there is no PostgreSQL on this machine', {
      next: 'install postgresql',
    });
  const owner = unprivileged();
  const binaries = readableBy(owner?.uid, found);
  const folder = mkdtempSync(join(tmpdir(), 'hoop-pg-'));
  if (owner) chownSync(folder, owner.uid, owner.gid);
  const password = randomBytes(18).toString('base64url');
  initialise({ binaries, folder, password, owner, options });
  const logFile = join(folder, 'server.log');
  const { server, port } = await serve({ binaries, folder, owner, ports: options.ports ?? freePort });
  const database = options.database ?? 'postgres';
  const running = {
    port,
    user: 'postgres',
    password,
    database,
    kind: binaries.kind,
    logFile,
    stop: () => stop(server, folder),
  };
  process.once('exit', () => server.kill('SIGQUIT'));
  if (database !== 'postgres') await createDatabase(running);
  return running;
}

interface Owner {
  uid: number;
  gid: number;
}

/** PostgreSQL refuses to run as root: as root, another user is used (`postgres` if there is one). */
function unprivileged(): Owner | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    const uid = Number(spawnSync('id', ['-u', name], { encoding: 'utf8' }).stdout);
    const gid = Number(spawnSync('id', ['-g', name], { encoding: 'utf8' }).stdout);
    if (uid > 0 && gid > 0) return { uid, gid };
  }
  throw new UserError('HOOP_CONFIG', 'PostgreSQL does not run as root, and there is no other user to run it', {
    next: 'run as an ordinary user',
  });
}

interface Initialisation {
  binaries: PostgresBinaries;
  folder: string;
  password: string;
  owner: Owner | undefined;
  options: PostgresOptions;
}

function initialise({ binaries, folder, password, owner, options }: Initialisation): void {
  const data = join(folder, 'data');
  const passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (owner) chownSync(passwordFile, owner.uid, owner.gid);
  const initdb = spawnSync(
    join(binaries.bin, 'initdb'),
    [
      '-D',
      data,
      '-U',
      'postgres',
      '--pwfile',
      passwordFile,
      '-A',
      'scram-sha-256',
      '-E',
      'UTF8',
      '--locale=C',
      '--no-sync',
    ],
    { ...owner, cwd: folder, encoding: 'utf8' },
  );
  rmSync(passwordFile);
  if (initdb.status !== 0) {
    rmSync(folder, { recursive: true, force: true });
    throw new UserError(
      'HOOP_RESOURCE_UNREACHABLE',
      `initdb failed: ${(initdb.stderr || String(initdb.error)).trim().split('\n').at(-1)}`,
    );
  }
  const settings = [
    "listen_addresses = '127.0.0.1'",
    `unix_socket_directories = '${folder}'`,
    'fsync = off',
    'logging_collector = on',
    `log_directory = '${folder}'`,
    "log_filename = 'server.log'",
    'log_rotation_age = 0',
    'log_rotation_size = 0',
    ...(options.settings ?? []),
  ];
  writeFileSync(join(data, 'postgresql.auto.conf'), `${settings.join('\n')}\n`);
  if (options.hba) writeFileSync(join(data, 'pg_hba.conf'), `${options.hba.join('\n')}\n`);
  for (const [name, text] of Object.entries(options.files ?? {})) {
    writeFileSync(join(data, name), text, { mode: 0o600 });
    if (owner) chownSync(join(data, name), owner.uid, owner.gid);
  }
}

/** PostgreSQL takes no port 0, so that one that was free may be somebody else's by now: then it is another. */
async function serve({
  binaries,
  folder,
  owner,
  ports,
}: Pick<Starting, 'binaries' | 'folder'> & { owner: Owner | undefined; ports: () => Promise<number> }): Promise<{
  server: ChildProcess;
  port: number;
}> {
  for (let attempt = 1; ; attempt++) {
    const port = await ports();
    const server = spawn(join(binaries.bin, 'postgres'), ['-D', join(folder, 'data'), '-p', String(port)], {
      ...owner,
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const said: Buffer[] = [];
    server.stderr.on('data', (chunk: Buffer) => said.length < 100 && said.push(chunk));
    if (await answers({ binaries, folder, port, server })) return { server, port };
    const log = await lastWords(join(folder, 'server.log'));
    if (attempt < portsTried && /could not create any TCP\/IP sockets/.test(log)) continue;
    const last = (log.trim() || Buffer.concat(said).toString().trim()).split('\n').at(-1);
    throw new UserError('HOOP_RESOURCE_UNREACHABLE', `${binaries.kind} did not start: ${last}`);
  }
}

const portsTried = 5;

/** What a server that ended has logged. A process of its own writes it, which may end after the server. */
async function lastWords(file: string): Promise<string> {
  for (const deadline = Date.now() + 2000; ; await new Promise((resolve) => setTimeout(resolve, 20))) {
    const log = existsSync(file) ? readFileSync(file, 'utf8') : '';
    if (/(FATAL|PANIC): /.test(log) || Date.now() > deadline) return log;
  }
}

interface Starting {
  binaries: PostgresBinaries;
  folder: string;
  port: number;
  server: ChildProcess;
}

/** Waits until the server serves; false if it ended. Asked by its own unix socket: at the port somebody else might answer. */
async function answers({ binaries, folder, port, server }: Starting): Promise<boolean> {
  const { Client } = (await import('pg')).default;
  for (const deadline = Date.now() + 20_000; server.exitCode === null && server.signalCode === null;) {
    const probe = new Client({
      host: folder,
      port,
      user: 'postgres',
      password: 'probe',
      connectionTimeoutMillis: 1000,
    });
    const refusal = await probe.connect().then(
      () => undefined,
      (error: { code?: string }) => error.code ?? 'none',
    );
    await probe.end().catch(() => undefined);
    // A wrong password is an answer: it serves.
    if (refusal === undefined || refusal.startsWith('28')) return true;
    if (Date.now() > deadline) throw new UserError('HOOP_RESOURCE_UNREACHABLE', `${binaries.kind} does not answer`);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  return false;
}

async function createDatabase({ port, user, password, database }: PostgresServer): Promise<void> {
  const { Client, escapeIdentifier } = (await import('pg')).default;
  const client = new Client({ host: '127.0.0.1', port, user, password, database: 'postgres' });
  await client.connect();
  await client.query(`create database ${escapeIdentifier(database)}`);
  await client.end();
}

async function stop(server: ChildProcess, folder: string): Promise<void> {
  if (server.exitCode === null && server.signalCode === null) {
    const gone = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGINT'); // fast shutdown
    await gone;
  }
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
