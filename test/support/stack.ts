import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runAgent } from '../../src/agent/agent.ts';
import { parseAgentConfig } from '../../src/agent/config.ts';
import { loadAgentKey } from '../../src/agent/key.ts';
import { ConnectedResource, type ConnectionState } from '../../src/client/connected-resource.ts';
import { openLocalPort } from '../../src/client/local-port.ts';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import { readGatewayConfig } from '../../src/gateway/config.ts';
import { startGateway, type RunningGateway } from '../../src/gateway/gateway.ts';
import { hashPassword } from '../../src/gateway/identity/password.ts';
import type { Role, Session, Statement } from '../../src/shared/api.ts';
import type { UserError } from '../../src/shared/errors.ts';
import { call, makeProof, password, signIn, type SignedIn } from './identity-gateway.ts';

/** All roles in this process, each real: gateway on a port, agent linked to it, client with a local port, a PostgreSQL behind. */
export interface Stack extends AsyncDisposable {
  dataDir: string;
  agentStateDir: string;
  gateway: RunningGateway;
  logs: string[];
  addUser(name: string, role?: Role): Promise<void>;
  signIn(name: string): Promise<SignedIn>;
  connect(user: SignedIn, options?: { resource?: string; actor?: string }): Promise<Connected>;
  /** Stops the agent, or starts it (again). */
  stopAgent(): Promise<void>;
  startAgent(): Promise<void>;
  /** `meanwhile`: what happens to its data while it is down. */
  restartGateway(meanwhile?: () => void | Promise<void>): Promise<void>;
  session(user: SignedIn, id?: string): Promise<Session>;
  statements(user: SignedIn, id?: string): Promise<Statement[]>;
}

export interface Connected {
  resource: ConnectedResource;
  port: number;
  /** What a child process would get. */
  environment: Record<string, string>;
  user: string;
  password: string;
  database: string;
  session: string;
  states: ConnectionState[];
  /** Waits until a state is reached. */
  until(state: ConnectionState['state'], after?: number): Promise<ConnectionState>;
  /** Waits until no client program is connected. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

export interface StackOptions {
  postgres: Pick<PostgresServer, 'port' | 'user' | 'password' | 'database'>;
  /** Settings of the gateway, as in hoop.yaml. */
  settings?: Record<string, unknown>;
  /** Where the gateway keeps its data, in the place of a temporary folder. */
  dataDir?: string;
  /** Further keys of the resource, as in agent.yaml; another protocol too: `{ protocol: 'redis' }`. */
  resource?: Record<string, unknown>;
  /** Further resources of the same agent: what each has otherwise than the first. */
  more?: Record<string, unknown>[];
}

export async function startStack({
  postgres,
  settings = {},
  resource = {},
  more = [],
  ...given
}: StackOptions): Promise<Stack> {
  const folder = mkdtempSync(join(tmpdir(), 'hoop-stack-'));
  const dataDir = given.dataDir ?? join(folder, 'gateway');
  const logs: string[] = [];
  const write = (fields: object, message: string) => void logs.push(`${message} ${JSON.stringify(fields)}`);
  const log = { info: write, warn: write, error: write };
  const open = async (listen: string) =>
    startGateway(await readGatewayConfig({ ...settings, dataDir, listen }, { environment: {} }), { log });
  let gateway = await open('127.0.0.1:0');
  const config = parseAgentConfig(agentYaml(postgres, [resource, ...more]), join(folder, 'agent.yaml'));
  const key = await loadAgentKey(config.stateDir);
  const { token } = gateway.registry.agents.create('db-agent');
  let joinToken: string | undefined = token;
  let agent: { stop: AbortController; done: Promise<void> } | undefined;
  const connections = new Set<Connected>();

  const stack: Stack = {
    dataDir,
    agentStateDir: config.stateDir,
    logs,
    get gateway() {
      return gateway;
    },
    async addUser(name, role = 'user') {
      const { id } = gateway.registry.users.create({
        name,
        role,
        groups: [],
        passwordHash: await hashPassword(password),
      });
      if (role === 'user')
        gateway.registry.grants.create({ userId: id, group: null, resource: 'orders-db', createdBy: 'test' });
    },
    signIn: (name) => signIn(gateway as never, name),
    async connect(user, { resource = 'orders-db', actor = 'cursor' } = {}) {
      const connected = await connectTo(gateway.url, user, resource, actor);
      connections.add(connected);
      return connected;
    },
    async startAgent() {
      if (agent) throw new Error('the agent runs already; two with one key would take the link from each other');
      const stop = new AbortController();
      let linked!: () => void;
      const ready = new Promise<void>((resolve) => (linked = resolve));
      const parts = { gateway: gateway.url, config, key, log, signal: stop.signal, onLinked: linked };
      const done = runAgent(joinToken === undefined ? parts : { ...parts, joinToken });
      joinToken = undefined;
      agent = { stop, done };
      await Promise.race([ready, done]);
    },
    async stopAgent() {
      agent?.stop.abort();
      await agent?.done;
      agent = undefined;
    },
    async restartGateway(meanwhile) {
      const { host } = new URL(gateway.url);
      await gateway.stop();
      await meanwhile?.();
      gateway = await open(host);
    },
    session: async (user, id = 'last') => (await call(gateway, user, 'GET', `/sessions/${id}`)).body as Session,
    async statements(user, id = 'last') {
      const { body } = await call(gateway, user, 'GET', `/sessions/${id}/statements`);
      return String(body)
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Statement);
    },
    async [Symbol.asyncDispose]() {
      for (const connected of connections) await connected.close();
      await stack.stopAgent();
      await gateway.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await stack.startAgent();
  return stack;
}

const agentYaml = (
  { port, user, password: secret, database }: StackOptions['postgres'],
  resources: Record<string, unknown>[],
) => {
  const address = `127.0.0.1:${port}`;
  const credentials = { user, password: secret };
  const own = { name: 'orders-db', protocol: 'postgres', address, database, tls: { mode: 'disable' }, credentials };
  return JSON.stringify({ resources: resources.map((resource) => ({ ...own, ...resource })) });
};

async function connectTo(gateway: string, user: SignedIn, name: string, actor: string): Promise<Connected> {
  const stop = new AbortController();
  const states: ConnectionState[] = [];
  const waiting = new Set<() => void>();
  const resource = new ConnectedResource({
    request: {
      gateway,
      resource: name,
      actor,
      authorize: async (method, url) => ({
        authorization: `DPoP ${user.accessToken}`,
        dpop: await makeProof(user.key, { htm: method, htu: url, accessToken: user.accessToken }),
      }),
    },
    openPort: (onConnection, opening) => openLocalPort({ onConnection, opening }),
    signInAgain: async () => undefined,
    onState: (state) => {
      states.push(state);
      for (const check of waiting) check();
    },
    signal: stop.signal,
  });
  const { environment } = await resource.open();
  const kept = resource.keep().catch((error: UserError) => error);
  return {
    resource,
    port: resource.port!,
    environment,
    user: environment['PGUSER']!,
    password: environment['PGPASSWORD']!,
    database: environment['PGDATABASE']!,
    get session() {
      return resource.session!;
    },
    states,
    until: (state, after = 0) =>
      new Promise((resolve) => {
        const check = () => {
          const found = states.slice(after).find((seen) => seen.state === state);
          if (!found) return;
          waiting.delete(check);
          resolve(found);
        };
        waiting.add(check);
        check();
      }),
    idle: () =>
      new Promise((resolve) => {
        const check = () => {
          const last = states.at(-1);
          if (last?.state === 'ready' && last.streams > 0) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      }),
    async close() {
      stop.abort();
      await kept;
    },
  };
}
