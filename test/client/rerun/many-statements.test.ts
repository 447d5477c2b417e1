import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PostgresServer } from '../../../src/demo/postgres.ts';
import type { SignedIn } from '../../support/identity-gateway.ts';
import { startAnyPostgres } from '../../support/postgres.ts';
import { hasProgram } from '../../support/programs.ts';
import { apiOf } from '../../support/recording-of.ts';
import { differences, rerunOn, type Ran } from '../../support/rerun.ts';
import { startStack, type Stack } from '../../support/stack.ts';

/** Of a transaction of pgbench, seven statements. */
const transactions = Number(process.env['HOOP_PROVE_RERUN'] ?? 60);
const clients = 4;

let postgres: PostgresServer;
let stack: Stack;
let alice: SignedIn;

const pgbench = (environment: Record<string, string>, ...args: string[]) =>
  promisify(execFile)('pgbench', args, { env: { ...process.env, ...environment } });
const own = (database: string) => ({
  PGHOST: '127.0.0.1',
  PGPORT: String(postgres.port),
  PGUSER: postgres.user,
  PGPASSWORD: postgres.password,
  PGDATABASE: database,
});
const sql = async (database: string, text: string): Promise<unknown[]> => {
  const { port, user, password } = postgres;
  const client = new pg.Client({ host: '127.0.0.1', port, user, password, database });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
};
/** Everything but the times. */
const tables = (database: string) =>
  sql(
    database,
    `select (select md5(string_agg(aid || ':' || abalance, ',' order by aid)) from pgbench_accounts) as accounts,
      (select md5(string_agg(tid || ':' || tbalance, ',' order by tid)) from pgbench_tellers) as tellers,
      (select sum(bbalance) from pgbench_branches) as branches, (select count(*) from pgbench_history) as history`,
  );

const hasPgbench = hasProgram('pgbench');

describe.runIf(hasPgbench)('a long session of several connections that fight for the same rows', () => {
  beforeAll(async () => {
    postgres = await startAnyPostgres({ database: 'orders' });
    await sql('postgres', 'create database again');
    for (const database of ['orders', 'again']) await pgbench(own(database), '-i', '-q');
    stack = await startStack({ postgres });
    await stack.addUser('alice');
    alice = await stack.signIn('alice');
  }, 60_000);
  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]();
    await postgres?.stop();
  });

  test(`${transactions} transactions of ${clients} clients come out the same`, async () => {
    const connected = await stack.connect(alice);
    const each = String(transactions / clients);
    await pgbench(connected.environment, '-n', '-M', 'prepared', '-c', String(clients), '-t', each);
    await connected.idle();
    await connected.close();
    const { statements: recorded } = await stack.session(alice, connected.session);
    const heapBefore = process.memoryUsage().heapUsed;
    const began = performance.now();
    const ran = await rerun(connected.session);
    const seconds = (performance.now() - began) / 1000;
    const heapMiB = (process.memoryUsage().heapUsed - heapBefore) / 2 ** 20;
    process.stderr.write(`${recorded} statements in ${seconds.toFixed(1)} s, ${heapMiB.toFixed(0)} MiB of heap\n`);
    expect(ran.end).toEqual({ reason: 'done', outOfOrder: [], openTransactions: [] });
    expect(differences(ran)).toEqual([]);
    expect(await tables('again')).toEqual(await tables('orders'));
  }, 60_000);

  const rerun = (session: string): Promise<Ran> =>
    rerunOn(
      apiOf(stack.gateway, alice),
      session,
      `postgres://${postgres.user}:${encodeURIComponent(postgres.password)}@127.0.0.1:${postgres.port}/again`,
    );
});
