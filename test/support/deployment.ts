import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChildProcess } from 'node:child_process';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import type { Session, Statement } from '../../src/shared/api.ts';
import { Cli, type CliResult } from './cli.ts';
import { until } from './until.ts';

const password = 'correct horse battery';

/** A role as a real process, to be killed. */
export class Role {
  stdout = '';
  stderr = '';
  readonly ended: Promise<CliResult>;
  readonly #child: ChildProcess;

  constructor({ child, result }: { child: ChildProcess; result: Promise<CliResult> }) {
    this.#child = child;
    this.ended = result;
    child.stdout!.on('data', (text: string) => (this.stdout += text));
    child.stderr!.on('data', (text: string) => (this.stderr += text));
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Ends it and waits until it is gone. */
  async kill(name: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (!this.isRunning) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill(name);
    await gone;
  }

  /** Waits for what it says (after `from` characters), or throws with all it said. */
  async says(pattern: RegExp, { from = 0, seconds = 20 } = {}): Promise<RegExpExecArray> {
    const find = () => pattern.exec(this.stderr.slice(from)) ?? pattern.exec(this.stdout);
    await until(() => find() !== null || !this.isRunning, { seconds, what: () => `${pattern} in ${this.stderr}` });
    const found = find();
    if (!found) throw new Error(`it ended without ${pattern}: ${this.stderr}`);
    return found;
  }
}

/** What `hoop connect --json` prints. */
export interface Ready {
  session: string;
  environment: Record<string, string>;
}

export interface DeploymentOptions {
  postgres: Pick<PostgresServer, 'port' | 'user' | 'password' | 'database'>;
  /** Another protocol. */
  protocol?: string;
  dataDir?: string;
  /** The agent is in the gateway's process (`--agent`). */
  within?: boolean;
}

/** Gateway, agent and client as three real processes of the compiled command line, each to be started and killed on its own. */
export class Deployment {
  readonly folder = mkdtempSync(join(tmpdir(), 'hoop-deployment-'));
  readonly dataDir: string;
  readonly agentFile = join(this.folder, 'agent.yaml');
  readonly agentState = join(this.folder, 'hoop-agent');
  readonly admin = new Cli();
  readonly alice = new Cli();
  /** Everybody’s. */
  readonly password = password;
  readonly #roles: Role[] = [];
  readonly #within: boolean;
  url = '';
  gateway!: Role;
  agent!: Role;

  private constructor({ postgres, protocol = 'postgres', dataDir, within = false }: DeploymentOptions) {
    this.dataDir = dataDir ?? join(this.folder, 'gateway');
    this.#within = within;
    writeFileSync(this.agentFile, agentYaml(postgres, protocol));
  }

  static async start(options: DeploymentOptions): Promise<Deployment> {
    const deployment = new Deployment(options);
    await deployment.startGateway();
    await deployment.#enrol();
    return deployment;
  }

  role(args: string[], cli: Cli = this.admin): Role {
    const role = new Role(cli.start(args));
    this.#roles.push(role);
    return role;
  }

  /** The first time on a free port, then on the same. */
  async startGateway(args: string[] = []): Promise<Role> {
    const listen = this.url === '' ? '127.0.0.1:0' : new URL(this.url).host;
    const agent = this.#within ? ['--agent', this.agentFile] : [];
    this.gateway = this.role(['gateway', 'start', '--data-dir', this.dataDir, '--listen', listen, ...agent, ...args]);
    [, this.url = ''] = await this.gateway.says(/^hoop gateway (\S+) ·/m);
    return this.gateway;
  }

  /** Without a join token: the key in the agent's state folder is its identity after the first start. */
  async startAgent(join_: string[] = []): Promise<Role> {
    this.agent = this.role(['agent', 'start', '--gateway', this.url, '--config', this.agentFile, ...join_]);
    await this.agent.says(/linked/);
    return this.agent;
  }

  async #enrol(): Promise<void> {
    const [, code = ''] = await this.gateway.says(/--setup-code (\S+)/);
    const secret = { stdin: `${password}\n` };
    const gateway = ['--gateway', this.url];
    await this.run(['users', 'create', 'root', '--setup-code', code, '--password-stdin', ...gateway], secret);
    ok(await this.admin.login('root', password, gateway));
    await this.run(['users', 'create', 'alice', '--password-stdin'], secret);
    await this.run(['grants', 'add', '--user', 'alice', '--resource', 'orders-db']);
    if (!this.#within) await this.#enrolAgent();
    ok(await this.alice.login('alice', password, gateway));
  }

  async #enrolAgent(): Promise<void> {
    const { stdout } = await this.run(['agents', 'create', 'db-agent', '--json']);
    await this.startAgent(['--join', JSON.parse(stdout).joinToken.token]);
  }

  /** `hoop connect orders-db`, ready. */
  async connect(args: string[] = []): Promise<{ role: Role; ready: Ready }> {
    const role = this.role(['connect', 'orders-db', '--json', ...args], this.alice);
    const [line] = await role.says(/^\{.*\}$/m);
    return { role, ready: JSON.parse(line) as Ready };
  }

  async run(args: string[], options: { stdin?: string } = {}): Promise<CliResult> {
    return ok(await this.admin.run(args, options));
  }

  async sessions(): Promise<Session[]> {
    return JSON.parse((await this.run(['sessions', '--json', '--limit', '1000'])).stdout).sessions as Session[];
  }

  /** However many there are, in this state. */
  async sessionsThatAre(state: Session['state']): Promise<Session[]> {
    const all: Session[] = [];
    for (let after: string[] = []; ;) {
      const { stdout } = await this.run(['sessions', '--json', '--limit', '1000', '--state', state, ...after]);
      const { sessions, next } = JSON.parse(stdout) as { sessions: Session[]; next: string | null };
      all.push(...sessions);
      if (next === null) return all;
      after = ['--after', next];
    }
  }

  async statements(session: string): Promise<Statement[]> {
    const { stdout } = await this.run(['replay', session, '--json']);
    const lines = stdout.split('\n').filter(Boolean);
    return lines.map((line) => JSON.parse(line) as Statement);
  }

  /** Waits until a session is as asked, and gives it. */
  async session(is: (session: Session) => boolean, seconds = 20): Promise<Session> {
    let seen: Session[] = [];
    await until(async () => (seen = await this.sessions()).some(is), { seconds, what: () => JSON.stringify(seen) });
    return seen.find(is)!;
  }

  async remove(): Promise<void> {
    for (const role of this.#roles.reverse()) {
      role.signal('SIGCONT');
      await role.kill();
    }
    for (const cli of [this.alice, this.admin]) cli.remove();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function ok(result: CliResult): CliResult {
  if (result.code !== 0) throw new Error(`exit code ${result.code}: ${result.stderr}${result.stdout}`);
  return result;
}

const agentYaml = ({ port, user, password: secret, database }: DeploymentOptions['postgres'], protocol: string) => `
resources:
  - name: orders-db
    protocol: ${protocol}
    address: 127.0.0.1:${port}
    database: ${database}
    tls: { mode: disable }
    credentials: { user: ${user}, password: ${JSON.stringify(secret)} }
`;
