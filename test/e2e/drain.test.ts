import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import { limits } from '../../src/shared/limits.ts';
import { Deployment } from '../support/deployment.ts';
import { startAnyPostgres } from '../support/postgres.ts';
import { hasProgram } from '../support/programs.ts';
import { run } from '../support/run.ts';

describe.runIf(hasProgram('pgbench'))('SIGTERM under constant traffic', { timeout: 120_000 }, () => {
  let server: PostgresServer;
  let hoop: Deployment;
  let direct: pg.Client;
  beforeAll(async () => {
    server = await startAnyPostgres({});
    direct = new pg.Client({ host: '127.0.0.1', ...server });
    await direct.connect();
    await direct.query('create table load (id serial)');
    hoop = await Deployment.start({ postgres: server });
  }, 120_000);
  afterAll(async () => {
    await hoop?.remove();
    await direct?.end();
    await server?.stop();
  });

  const rows = async (): Promise<number> => (await direct.query('select count(*)::int as n from load')).rows[0].n;

  test('what is in flight finishes, nothing new is taken, and the gateway does not wait for its bound', async () => {
    const { ready } = await hoop.connect();
    const env = ready.environment;
    const script = join(hoop.folder, 'insert.sql');
    writeFileSync(script, 'insert into load default values;\n');
    const load = run('pgbench', ['-n', '-c8', '-T60', '-f', script], { env });
    const slow = new pg.Client({ connectionString: env['DATABASE_URL']! });
    slow.on('error', () => undefined); // it is told that the gateway stops, after its answer
    await slow.connect();
    await expect.poll(rows, { timeout: 30_000 }).toBeGreaterThan(200);
    const answered = slow.query("select 'slow' as word, pg_sleep(1.5)").then(({ rows: [row] }) => row.word as string);
    await expect.poll(async () => (await direct.query(asleep)).rowCount, { timeout: 10_000 }).toBe(1);

    const begun = Date.now();
    await hoop.gateway.kill('SIGTERM');
    const millis = Date.now() - begun;
    expect(await answered).toBe('slow');
    expect(millis).toBeLessThan(limits.drainMillisMax / 2);
    const { code, stderr } = await load;
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/the gateway is stopping/);

    await hoop.startGateway();
    const { state, reason } = await hoop.session(({ id }) => id === ready.session);
    expect({ state, reason }).toEqual({ state: 'sealed', reason: 'gateway_stopped' });
    const statements = await hoop.statements(ready.session);
    const count = (status: string) => statements.filter(({ outcome }) => outcome?.status === status).length;
    expect(count('unknown')).toBe(0);
    const inserted = statements.filter(({ text, outcome }) => text?.startsWith('insert') && outcome?.status === 'ok');
    expect(inserted.length).toBe(await rows());
    process.stdout.write(`drain: ${inserted.length} inserts, ${count('refused')} refused, ${millis} ms\n`);
  });
});

const asleep =
  "select 1 from pg_stat_activity where state = 'active' and query like '%slow%' and pid <> pg_backend_pid()";
