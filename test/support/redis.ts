import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../src/demo/postgres.ts';
import { until } from './until.ts';

export interface RedisServer {
  port: number;
  tlsPort: number | undefined;
  /** The ACL user that the agent has. */
  user: string;
  password: string;
  /** Of the default user, which may do everything. */
  adminPassword: string;
  stop(): Promise<void>;
}

export interface RedisOptions {
  /** What the agent's user may do, in the place of everything. */
  acl?: string;
  /** PEM: the server then speaks TLS, on a port of its own. */
  tls?: { cert: string; key: string };
}

/** A real redis-server on loopback, that keeps nothing, with an ACL user of its own for the agent. */
export async function startRedis({ acl = '~* &* +@all', tls }: RedisOptions = {}): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'hoop-redis-'));
  const [password, adminPassword] = [randomBytes(12).toString('hex'), randomBytes(12).toString('hex')];
  const port = await freePort();
  const tlsPort = tls && (await freePort());
  const lines = [
    'bind 127.0.0.1',
    `port ${port}`,
    `dir ${folder}`,
    'save ""',
    'appendonly no',
    `requirepass ${adminPassword}`,
    `user app on >${password} ${acl}`,
  ];
  if (tls) {
    writeFileSync(join(folder, 'cert.pem'), tls.cert);
    writeFileSync(join(folder, 'key.pem'), tls.key);
    const files = ['cert', 'key', 'ca-cert'].map(
      (name) => `tls-${name}-file ${folder}/${name === 'key' ? 'key' : 'cert'}.pem`,
    );
    lines.push(`tls-port ${tlsPort}`, 'tls-auth-clients no', ...files);
  }
  const config = join(folder, 'redis.conf');
  writeFileSync(config, lines.join('\n'), { mode: 0o600 });
  const server = spawn('redis-server', [config], { stdio: 'ignore' });
  const gone = once(server, 'exit');
  await until(() => answers(port), { what: () => 'redis-server' });
  return {
    port,
    tlsPort,
    user: 'app',
    password,
    adminPassword,
    async stop() {
      server.kill('SIGKILL');
      await gone;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => (socket.destroy(), resolve(true)));
    socket.once('error', () => resolve(false));
  });
