import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import { readGatewayConfig } from '../../src/gateway/config.ts';
import { startGateway, type RunningGateway } from '../../src/gateway/gateway.ts';
import { hashPassword } from '../../src/gateway/identity/password.ts';
import { silentLog } from '../../src/shared/log.ts';
import { selfSigned, type Certificate } from '../support/certificate.ts';
import { Cli } from '../support/cli.ts';
import { startAnyPostgres } from '../support/postgres.ts';

const folder = mkdtempSync(join(tmpdir(), 'hoop-tls-e2e-'));
let certificate: Certificate;
let server: PostgresServer;
let gateway: RunningGateway;
let ci: Cli;
let machine: Cli;

beforeAll(async () => {
  certificate = selfSigned('127.0.0.1');
  server = await startAnyPostgres({ database: 'orders' });
  const tlsKey = join(dirname(certificate.caFile), 'key.pem');
  const settings = { dataDir: join(folder, 'gw'), listen: '127.0.0.1:0', tlsCert: certificate.caFile, tlsKey };
  gateway = await startGateway(await readGatewayConfig(settings, { environment: {} }), { log: silentLog });
  const { users, grants, tokens, agents } = gateway.registry;
  const user = users.create({
    name: 'ci',
    role: 'user',
    groups: [],
    passwordHash: await hashPassword('not used here'),
  });
  grants.create({ userId: user.id, group: null, resource: 'orders-db', createdBy: 'test' });
  const { secret } = tokens.create({ userId: user.id, name: null, ttlSeconds: 600 });
  ci = new Cli({ HOOP_GATEWAY: gateway.url, HOOP_TOKEN: secret, HOOP_CA_FILE: certificate.caFile });
  writeFileSync(
    join(folder, 'agent.yaml'),
    `resources: [{ name: orders-db, protocol: postgres, address: "127.0.0.1:${server.port}", database: orders,
      credentials: { user: postgres, password: "\${env:PASSWORD_OF_THE_TEST}" } }]`,
  );
  machine = new Cli({
    HOOP_GATEWAY: gateway.url,
    HOOP_CA_FILE: certificate.caFile,
    PASSWORD_OF_THE_TEST: server.password,
  });
  const joinToken = agents.create('db-agent').token;
  const { child } = machine.start(['agent', 'start', '--config', join(folder, 'agent.yaml')], {
    env: { HOOP_JOIN_TOKEN: joinToken },
  });
  await new Promise<void>((resolve, reject) => {
    let said = '';
    child.stderr!.on('data', (text: string) => (said += text).includes('"linked"') && resolve());
    child.once('exit', () => reject(new Error(said)));
  });
});
afterAll(async () => {
  ci?.remove();
  machine?.remove();
  await gateway?.stop();
  await server?.stop();
  certificate?.remove();
  rmSync(folder, { recursive: true, force: true });
});

test('over TLS on both legs, with a CA of one’s own, a token and a child: the exit code is the child’s, the record has its statement', async () => {
  expect(gateway.url).toMatch(/^https:/);
  const ran = await ci.run(['connect', 'orders-db', '--as', 'pipeline', '--', 'psql', '-XAtc', 'select 6 * 7']);
  expect(ran).toMatchObject({ code: 0, stdout: '42\n' });
  expect(await ci.run(['connect', 'orders-db', '--', 'sh', '-c', 'exit 9'])).toMatchObject({ code: 9 });
  const { stdout } = await ci.run(['sessions', '--json']);
  const { sessions } = JSON.parse(stdout) as {
    sessions: { id: string; actor: string | null; statements: number; state: string }[];
  };
  const session = sessions.find(({ actor }) => actor === 'pipeline');
  expect(session).toMatchObject({ statements: 1, state: 'sealed' });
  const replayed = await ci.run(['replay', session!.id, '--json']);
  expect(JSON.parse(replayed.stdout)).toMatchObject({
    text: 'select 6 * 7',
    outcome: { status: 'ok', tag: 'SELECT 1' },
  });
});

test('a certificate that nobody vouches for is refused, with the way out', async () => {
  const stranger = await ci.run(['sessions'], { env: { HOOP_CA_FILE: '', NODE_EXTRA_CA_CERTS: '' } });
  expect(stranger.code).toBe(5);
  expect(stranger.stderr).toMatch(/certificate/);
  expect(stranger.stdout).toBe('');
});
