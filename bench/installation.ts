import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ChildProcess } from 'node:child_process';
import { startPostgres, type PostgresServer } from '../src/demo/postgres.ts';
import { Cli } from '../test/support/cli.ts';

/** Gateway, agent and client as processes of their own, as a user runs them, before a PostgreSQL. */
export interface Installation extends AsyncDisposable {
  postgres: PostgresServer;
  gateway: ChildProcess;
  agent: ChildProcess;
  cli: Cli;
  /** Starts `hoop connect orders-db`; gives the environment for client programs. */
  connect(): Promise<{ child: ChildProcess; environment: Record<string, string> }>;
}

const password = 'a long enough password';

export async function startInstallation(settings: string[] = []): Promise<Installation> {
  const postgres = await startPostgres({ database: 'orders', settings });
  const cli = new Cli({ HOOP_GATEWAY_LOG_LEVEL: 'warn' });
  const folder = cli.configDir;
  const gateway = cli.start(['gateway', 'start', '--data-dir', join(folder, 'gw'), '--listen', '127.0.0.1:0']).child;
  const said = await untilSaid(gateway, /--setup-code (\S+) --gateway (\S+)/);
  const [, code, url] = said as unknown as [string, string, string];
  await succeed(
    cli.run(['users', 'create', 'root', '--setup-code', code, '--gateway', url, '--password-stdin'], {
      stdin: password,
    }),
  );
  await cli.login('root', password, ['--gateway', url]);
  await succeed(cli.run(['grants', 'add', '--user', 'root', '--resource', 'orders-db']));
  const { stdout } = await succeed(cli.run(['agents', 'create', 'db-agent', '--json']));
  const { joinToken } = JSON.parse(stdout) as { joinToken: { token: string } };
  writeFileSync(
    join(folder, 'agent.yaml'),
    `resources: [{ name: orders-db, protocol: postgres, address: "127.0.0.1:${postgres.port}", database: orders,
      tls: { mode: disable }, credentials: { user: ${postgres.user}, password: ${postgres.password} } }]`,
  );
  const agent = cli.start([
    'agent',
    'start',
    '--gateway',
    url,
    '--join',
    joinToken.token,
    '--config',
    join(folder, 'agent.yaml'),
  ]).child;
  await untilSaid(agent, /linked/);
  const children = [agent, gateway];
  return {
    postgres,
    gateway,
    agent,
    cli,
    async connect() {
      const { child } = cli.start(['connect', 'orders-db', '--port', '0', '--json']);
      children.unshift(child);
      const [line] = await untilSaid(child, /^\{.*\}$/m);
      return { child, environment: (JSON.parse(line!) as { environment: Record<string, string> }).environment };
    },
    async [Symbol.asyncDispose]() {
      for (const child of children) await ended(child);
      cli.remove();
      await postgres.stop();
    },
  };
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

/** Resident memory of a process in KiB. */
export const rssKib = ({ pid }: ChildProcess): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

async function succeed(result: ReturnType<Cli['run']>) {
  const { code, stdout, stderr } = await result;
  if (code !== 0) throw new Error(stderr);
  return { stdout };
}

function ended(child: ChildProcess): Promise<unknown> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  const closed = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGTERM');
  return closed;
}
