import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import { Cli } from '../support/cli.ts';
import { Deployment, type Ready, type Role } from '../support/deployment.ts';
import { at, startLoad } from '../support/load.ts';
import { startAnyPostgres } from '../support/postgres.ts';
import { hasProgram } from '../support/programs.ts';
import { executed, logEverything, missing, recorded } from '../support/server-log.ts';
import { until } from '../support/until.ts';

const kills = 3;

/** The tests follow each other: what one leaves the next finds. */
describe('hoop gateway start --agent: gateway and agent in one process', { timeout: 120_000 }, () => {
  let server: PostgresServer;
  let hoop: Deployment;
  let connect: Role;
  let ready: Ready;

  beforeAll(async () => {
    server = await startAnyPostgres({ database: 'orders', settings: logEverything });
    hoop = await Deployment.start({ postgres: server, within: true });
    ({ role: connect, ready } = await hoop.connect());
  }, 120_000);
  afterAll(async () => {
    await hoop?.remove();
    await server?.stop();
  });

  const ask = async (text: string) => {
    const client = new pg.Client({ ...at(ready.environment), application_name: 'program' });
    await client.connect();
    try {
      return (await client.query(text)).rows as Record<string, unknown>[];
    } finally {
      await client.end();
    }
  };
  /** As `hoop verify --json` says it. */
  const verified = async (session: string) => {
    const { stdout, code } = await hoop.admin.run(['verify', session, '--json']);
    return { code, report: JSON.parse(stdout) as { verdict: string; sessions: { witness?: object }[] } };
  };

  test('what is asked is answered and recorded; the record says that nobody else has seen it', async () => {
    expect(await ask('select 6 * 7 as answer')).toEqual([{ answer: 42 }]);
    const texts = (await hoop.statements(ready.session)).map(({ text }) => text);
    expect(texts).toContain('select 6 * 7 as answer');
    expect(missing(texts.map(String), executed(server.logFile!, 'program'))).toEqual([]);
    const { code, report } = await verified(ready.session);
    expect(code).toBe(0);
    expect(report.sessions[0]!.witness).toMatchObject({ agent: 'colocated', standing: 'colocated' });
  });

  test('it says so at the start, names the resources, and is an agent like others to the administrator', async () => {
    await hoop.gateway.says(/the agent in this process serves orders-db; it is no witness of the record/);
    const { agents } = JSON.parse((await hoop.run(['agents', 'list', '--json'])).stdout);
    expect(agents).toMatchObject([{ name: 'colocated', online: true, resources: ['orders-db'] }]);
    expect(readFileSync(join(hoop.dataDir, 'agent', 'agent-key.pem'), 'utf8')).toContain('PRIVATE KEY');
  });

  test.runIf(hasProgram('pgbench'))(`kill -9 under load, ${kills} times: what ran is in the record`, async () => {
    await ask('create table load (id int, note text)');
    const rounds: { session: string; name: string; answered: string[] }[] = [];
    for (let round = 0; round < kills; round++) {
      const name = `round-${round}.`;
      const load = startLoad(ready.environment, name);
      await until(() => load.answered.length > 50 * round + 3, { seconds: 60, what: () => connect.stderr });
      rounds.push({ session: ready.session, name, answered: load.answered });
      const from = connect.stderr.length;
      await hoop.gateway.kill('SIGKILL');
      await load.ended;
      await hoop.startGateway();
      const [, successor = ''] = await connect.says(/ready on .* session (\w+)/, { from, seconds: 90 });
      ready = { ...ready, session: successor };
    }
    for (const { session, name, answered } of rounds) {
      expect(await hoop.session(({ id, state }) => id === session && state !== 'live')).toMatchObject({
        state: 'interrupted',
        agent: 'colocated',
      });
      const record = recorded(await hoop.statements(session));
      const ran = executed(server.logFile!, name);
      expect(missing(ran, answered)).toEqual([]);
      expect(missing(record, ran)).toEqual([]);
      expect((await verified(session)).code).toBe(0);
    }
  });

  test('an agent that is removed serves nothing more, and the next start makes it anew', async () => {
    await hoop.run(['agents', 'remove', 'colocated']);
    await hoop.gateway.says(/the agent in the gateway’s process has ended/);
    const refused = await hoop.alice.run(['connect', 'orders-db', '--json']);
    expect(refused.code).toBe(7);
    await hoop.gateway.kill('SIGTERM');
    await hoop.startGateway();
    ({ role: connect, ready } = await hoop.connect());
    expect(await ask('select 1 as one')).toEqual([{ one: 1 }]);
  });

  test('a stop lets the session end and says nothing of a lost gateway', async () => {
    const from = hoop.gateway.stderr.length;
    hoop.gateway.signal('SIGTERM');
    expect((await hoop.gateway.ended).code).toBe(0);
    const said = hoop.gateway.stderr.slice(from);
    expect(said).toContain('stopping');
    expect(said).not.toMatch(/"level":(40|50)/);
    await hoop.startGateway();
    const last = await hoop.session(({ state, reason }) => state === 'sealed' && reason === 'gateway_stopped');
    expect((await verified(last.id)).code).toBe(0);
  });

  test('another key than the pinned one is refused, with what to do', async () => {
    await hoop.gateway.kill('SIGTERM');
    rmSync(join(hoop.dataDir, 'agent'), { recursive: true });
    const listen = ['--listen', '127.0.0.1:0', '--data-dir', hoop.dataDir];
    const again = await hoop.admin.run(['gateway', 'start', ...listen, '--agent', hoop.agentFile]);
    expect(again.code).toBe(1);
    expect(again.stderr).toContain('HOOP_EXISTS');
    expect(again.stderr).toMatch(/the agent colocated is pinned to another key, SHA256:/);
    expect(again.stderr).toContain('hoop agents remove colocated');
  });
});

test('an agent that was a process of its own keeps its name; resources of another one are not served', async () => {
  const server = await startAnyPostgres({ database: 'orders' });
  const hoop = await Deployment.start({ postgres: server });
  const restart = async (agentFile: string) => {
    await hoop.gateway.kill('SIGTERM');
    await hoop.startGateway(['--agent', agentFile]);
    return (await hoop.gateway.says(/^the agent in this process serves (.*)$/m))[1];
  };
  await hoop.agent.kill('SIGTERM');
  expect(await restart(hoop.agentFile)).toMatch(/^orders-db;/);
  const { agents } = JSON.parse((await hoop.run(['agents', 'list', '--json'])).stdout);
  expect(agents).toMatchObject([{ name: 'db-agent', online: true, resources: ['orders-db'] }]);

  // A process with the same key, left running or started again, does not take the link from the one within.
  const second = hoop.role(['agent', 'start', '--gateway', hoop.url, '--config', hoop.agentFile]);
  const { code, stderr } = await second.ended;
  expect(code).toBe(2);
  expect(stderr).toMatch(/the agent db-agent runs in the gateway’s own process/);
  expect(hoop.gateway.stderr).not.toContain('agent link closed');

  const elsewhere = join(mkdtempSync(join(hoop.folder, 'elsewhere-')), 'agent.yaml');
  copyFileSync(hoop.agentFile, elsewhere);
  expect(await restart(elsewhere)).toMatch(/^nothing: its resources belong to another agent/);
  await hoop.remove();
  await server.stop();
});

test.each([
  ['that is not there', undefined, /cannot read .*agent\.yaml/],
  ['with a fault', 'resources: []', /agent\.yaml: resources: name at least one resource/],
])('an agent.yaml %s: the gateway does not start, exit code 2', async (_, text, why) => {
  const cli = new Cli();
  const file = join(cli.configDir, 'agent.yaml');
  if (text !== undefined) writeFileSync(file, text);
  const dataDir = join(cli.configDir, 'gw');
  const listen = ['--listen', '127.0.0.1:0', '--data-dir', dataDir];
  const { code, stderr } = await cli.run(['gateway', 'start', ...listen], { env: { HOOP_GATEWAY_AGENT: file } });
  expect(code).toBe(2);
  expect(stderr).toMatch(why);
  cli.remove();
});
