import { chmodSync, existsSync, mkdtempSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import { Deployment } from '../support/deployment.ts';
import { startAnyPostgres } from '../support/postgres.ts';
import { hasProgram } from '../support/programs.ts';
import { run } from '../support/run.ts';

let server: PostgresServer;
let deployment: Deployment;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hoop-socket-'));
  server = await startAnyPostgres({ database: 'orders' });
  deployment = await Deployment.start({ postgres: server });
}, 120_000);
afterAll(async () => {
  await deployment?.remove();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test('connect --socket: psql and pg come through the socket, nobody else can, and it is gone afterwards', async () => {
  const sockets = join(folder, 'sockets');
  const { role, ready } = await deployment.connect(['--socket', sockets]);
  const { environment, session } = ready;
  expect(environment['PGHOST']).toBe(sockets);
  const socket = join(sockets, `.s.PGSQL.${environment['PGPORT']}`);
  expect(statSync(sockets).mode & 0o777).toBe(0o700);
  expect(statSync(socket).isSocket()).toBe(true);

  const client = new pg.Client(environment['DATABASE_URL']!);
  await client.connect();
  expect((await client.query("select 'pg by DSN' as way")).rows).toEqual([{ way: 'pg by DSN' }]);
  await client.end();
  if (hasProgram('psql')) {
    const { PGPORT = '', PGPASSWORD = '', PGUSER = '', PGDATABASE = '' } = environment;
    const args = ['-XAt', '-h', sockets, '-p', PGPORT, '-U', PGUSER, '-d', PGDATABASE, '-c', "select 'psql -h FOLDER'"];
    const { stdout, stderr } = await run('psql', args, { env: { PGPASSWORD, PGSSLMODE: 'require' } });
    expect([stderr, stdout]).toEqual(['', 'psql -h FOLDER\n']);
  }
  // The port serves those who cannot use a socket.
  const { PGPORT, PGUSER: user, PGPASSWORD: password, PGDATABASE: database } = environment;
  const byPort = new pg.Client({ host: '127.0.0.1', port: Number(PGPORT), user, password, database });
  await byPort.connect();
  await byPort.end();

  await role.kill('SIGINT');
  expect(existsSync(socket)).toBe(false);
  const texts = (await deployment.statements(session)).map(({ text }) => text);
  expect(texts[0]).toBe("select 'pg by DSN' as way");
  if (hasProgram('psql')) expect(texts[1]).toBe("select 'psql -h FOLDER'");
});

test('a folder that others can enter is refused, and what to do is said', async () => {
  const open = join(folder, 'open');
  mkdirSync(open);
  chmodSync(open, 0o755);
  const { code, stderr } = await deployment.alice.run(['connect', 'orders-db', '--socket', open]);
  expect(code).toBe(2);
  expect(stderr).toContain(`chmod 700 ${open}`);
  expect((await deployment.sessions()).every(({ state }) => state !== 'live')).toBe(true);
});
