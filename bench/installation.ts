import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ChildProcess } from 'node:child_process';
import { startPostgres, type PostgresServer } from '../src/demo/postgres.ts';
import { selfSigned } from '../test/support/certificate.ts';
import { Cli } from '../test/support/cli.ts';

/** Gateway, agent and client as processes of their own, as a user runs them, before a PostgreSQL. */
export interface Installation extends AsyncDisposable {
  postgres: PostgresServer;
  gateway: ChildProcess;
  /** Undefined where it is in the gateway's process. */
  agent: ChildProcess | undefined;
  cli: Cli;
  /** Starts `hoop connect`, of orders-db unless named; gives the environment for client programs. */
  connect(resource?: string): Promise<{ child: ChildProcess; environment: Record<string, string> }>;
}

const password = 'a long enough password';
/** Where each process leaves a profile of itself. */
const profiles = process.env['HOOP_BENCH_PROFILES'];

export interface InstallationOptions {
  /** One that others use too, and that is not stopped; without it one is started. */
  postgres?: PostgresServer;
  /** Lines for the configuration of a PostgreSQL that is started. */
  settings?: string[];
  /** TLS on both legs. */
  tls?: boolean;
  /** Whole lines of agent.yaml's resources, beside orders-db. */
  resources?: string[];
  /** The agent in the gateway's process (`--agent`). */
  within?: boolean;
}

export async function startInstallation(options: InstallationOptions = {}): Promise<Installation> {
  const postgres = options.postgres ?? (await startPostgres({ database: 'orders', settings: options.settings ?? [] }));
  const certificate = options.tls ? selfSigned('127.0.0.1') : undefined;
  const cli = new Cli({
    HOOP_GATEWAY_LOG_LEVEL: 'warn',
    ...(certificate ? { HOOP_CA_FILE: certificate.caFile } : {}),
  });
  if (profiles !== undefined) cli.nodeArgs = ['--cpu-prof', `--cpu-prof-dir=${profiles}`];
  const folder = cli.configDir;
  const agentFile = join(folder, 'agent.yaml');
  writeFileSync(
    agentFile,
    ['resources:', ...[ordersDb(postgres), ...(options.resources ?? [])].map((line) => `  - ${line}`)].join('\n'),
  );
  const gateway = cli.start([
    'gateway',
    'start',
    '--data-dir',
    join(folder, 'gw'),
    '--listen',
    '127.0.0.1:0',
    ...(certificate ? ['--tls-cert', certificate.caFile, '--tls-key', certificate.keyFile] : []),
    ...(options.within ? ['--agent', agentFile] : []),
  ]).child;
  const said = await untilSaid(gateway, /--setup-code (\S+) --gateway (\S+)/);
  const [, code, url] = said as unknown as [string, string, string];
  await succeed(
    cli.run(['users', 'create', 'root', '--setup-code', code, '--gateway', url, '--password-stdin'], {
      stdin: password,
    }),
  );
  await cli.login('root', password, ['--gateway', url], certificate ? { ca: certificate.cert } : {});
  await succeed(cli.run(['grants', 'add', '--user', 'root', '--resource', '*']));
  const agent = options.within ? undefined : await startAgent(cli, url, agentFile);
  const children = agent ? [agent, gateway] : [gateway];
  return {
    postgres,
    gateway,
    agent,
    cli,
    async connect(resource = 'orders-db') {
      const { child } = cli.start(['connect', resource, '--port', '0', '--json']);
      children.unshift(child);
      const [line] = await untilSaid(child, /^\{.*\}$/m);
      return { child, environment: (JSON.parse(line!) as { environment: Record<string, string> }).environment };
    },
    async [Symbol.asyncDispose]() {
      for (const child of children) await ended(child);
      cli.remove();
      certificate?.remove();
      if (!options.postgres) await postgres.stop();
    },
  };
}

async function startAgent(cli: Cli, gateway: string, file: string): Promise<ChildProcess> {
  const { stdout } = await succeed(cli.run(['agents', 'create', 'db-agent', '--json']));
  const { joinToken } = JSON.parse(stdout) as { joinToken: { token: string } };
  const join_ = ['--join', joinToken.token];
  const agent = cli.start(['agent', 'start', '--gateway', gateway, '--config', file, ...join_]).child;
  await untilSaid(agent, /linked/);
  return agent;
}

export function untilSaid(child: ChildProcess, pattern: RegExp): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    let text = '';
    const look = (more: string) => {
      const found = pattern.exec((text += more));
      if (found) resolve(found);
    };
    child.stdout?.on('data', look);
    child.stderr?.on('data', look);
    child.once('close', () => reject(new Error(`ended before it said ${pattern}: ${text}`)));
  });
}

const ordersDb = ({ port, user, password }: PostgresServer): string =>
  `{ name: orders-db, protocol: postgres, address: "127.0.0.1:${port}", database: orders, tls: { mode: disable },` +
  ` credentials: { user: ${user}, password: ${password} } }`;

async function succeed(result: ReturnType<Cli['run']>) {
  const { code, stdout, stderr } = await result;
  if (code !== 0) throw new Error(stderr);
  return { stdout };
}

export function ended(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<unknown> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  const closed = new Promise((resolve) => child.once('close', resolve));
  child.kill(signal);
  return closed;
}
