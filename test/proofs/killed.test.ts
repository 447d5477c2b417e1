import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import { parseCheckpoint } from '../../src/recording/checkpoint.ts';
import { parseVerifierKey } from '../../src/recording/note.ts';
import { verdicts } from '../../src/recording/verdicts.ts';
import type { Session } from '../../src/shared/api.ts';
import { verifyDataDir } from '../../src/store/verify-directory.ts';
import { Deployment, type Ready, type Role } from '../support/deployment.ts';
import { at, startLoad } from '../support/load.ts';
import { startAnyPostgres } from '../support/postgres.ts';
import { hasProgram } from '../support/programs.ts';
import { executed, logEverything, missing, recorded } from '../support/server-log.ts';
import { until } from '../support/until.ts';
import { proofSeed, seededRandom } from './random.ts';

const kills = Number(process.env.HOOP_PROVE_KILLS ?? 12);
const seed = proofSeed();
const random = seededRandom(seed);
/** Every second time the gateway, the hardest of them. */
const victims = ['gateway', 'agent', 'gateway', 'client'] as const;
const rounds = Array.from({ length: kills }, (_, round) => ({
  round,
  victim: victims[round % victims.length]!,
  millis: 20 + Math.floor(random() * 500),
}));

/** How the session's record ends. */
const endings = {
  gateway: { state: 'interrupted', reason: 'interrupted' },
  agent: { state: 'sealed', reason: 'agent_lost' },
  client: { state: 'sealed', reason: 'client_lost' },
};

describe.runIf(hasProgram('pgbench'))(`kill -9 under pipelined load (seed ${seed})`, { timeout: 120_000 }, () => {
  let server: PostgresServer;
  let hoop: Deployment;
  let direct: pg.Client;
  let connect: Role;
  let ready: Ready;
  let session: string;

  beforeAll(async () => {
    server = await startAnyPostgres({ settings: logEverything });
    direct = new pg.Client({ host: '127.0.0.1', ...server, application_name: 'direct' });
    await direct.connect();
    await direct.query('create table load (id int, note text)');
    hoop = await Deployment.start({ postgres: server });
    ({ role: connect, ready } = await hoop.connect());
    session = ready.session;
  }, 120_000);
  afterAll(async () => {
    await hoop?.remove();
    await direct?.end();
    await server?.stop();
  });

  const unknown: number[] = [];
  let pipelined = 0;

  test.each(rounds)(
    '$round: of the $victim, after $millis ms: what ran is in the record',
    async ({ round, victim, millis }) => {
      const name = `round-${round}.`;
      const load = startLoad(ready.environment, name);
      await until(() => load.answered.length > 3, { seconds: 60, what: () => `load through hoop: ${connect.stderr}` });
      await new Promise((resolve) => setTimeout(resolve, millis)); // a moment by chance is the point
      const before = session;
      const held = await checkpoint();
      session = await killAndRestore(victim, load.ended);
      await served(name);
      await expectVerified(held);

      const ended = await hoop.session(({ id, state }) => id === before && state !== 'live');
      expect(ended).toMatchObject({ ...endings[victim], endedAt: expect.any(String) });
      const statements = await hoop.statements(before);
      const ran = executed(server.logFile!, name);
      pipelined += ran.filter((one) => one.startsWith('insert into load')).length;
      expect(missing(ran, load.answered)).toEqual([]); // the oracle sees what it must
      expect(missing(recorded(statements), ran)).toEqual([]);
      expect(missing(recorded(statements), load.answered)).toEqual([]);
      expect(statements.filter(({ outcome }) => outcome === null)).toEqual([]);
      unknown.push(statements.filter(({ outcome }) => outcome?.status === 'unknown').length);
      const continues = victim === 'client' ? null : before;
      expect(await hoop.session(({ id }) => id === session)).toMatchObject({
        state: 'live',
        continues,
      } as Partial<Session>);
    },
  );

  test('what had no answer is unknown, and hoop sessions says interrupted', async () => {
    expect(Math.max(...unknown)).toBeGreaterThan(0);
    expect(pipelined).toBeGreaterThan(0); // the pipelines of pgbench took part
    const interrupted = (await hoop.run(['sessions', '--limit', '1000'])).stdout.match(/interrupted/g)!.length;
    expect(interrupted).toBeGreaterThanOrEqual(Math.floor(kills / 2));
  });

  test('hoop connect has come back each time: same port, and it works', async () => {
    const client = new pg.Client(at(ready.environment));
    await client.connect();
    expect((await client.query('select 6 * 7 as answer')).rows).toEqual([{ answer: 42 }]);
    await client.end();
    expect(connect.isRunning).toBe(true);
  });

  /** Resolves to the session after, once client programs can go on. */
  async function killAndRestore(victim: (typeof victims)[number], loadEnded: Promise<void>): Promise<string> {
    const from = connect.stderr.length;
    if (victim === 'client') {
      await connect.kill('SIGKILL');
      await loadEnded;
      ({ role: connect, ready } = await hoop.connect());
      return ready.session;
    }
    await hoop[victim].kill('SIGKILL');
    await loadEnded;
    await (victim === 'gateway' ? hoop.startGateway() : hoop.startAgent());
    const [, successor = ''] = await connect.says(/ready on .* session (\w+)/, { from, seconds: 90 });
    return successor;
  }

  const checkpoint = () => readFile(join(hoop.dataDir, 'log/checkpoint'), 'utf8');

  /** Everything that the log has holds, and it begins with what was signed before the kill. */
  async function expectVerified(held: string): Promise<void> {
    const key = parseVerifierKey(await (await fetch(`${hoop.url}/log/key`)).text())!;
    const report = await verifyDataDir(hoop.dataDir, { keys: [key], held: parseCheckpoint(held), witnesses: [] });
    expect(report.sessions.filter(({ verdict }) => verdicts[verdict].exit !== 0)).toEqual([]);
    expect(verdicts[report.verdict].exit).toBe(0);
  }

  /** Waits until the server has ended the connections of a load, and its log is written. */
  async function served(name: string): Promise<void> {
    const open = 'select count(*)::int as open from pg_stat_activity where application_name like $1';
    await until(async () => (await direct.query(open, [`%${name}`])).rows[0].open === 0);
    await direct.query(`select 'after ${name}'`);
    await until(() => executed(server.logFile!, 'direct').includes(`select 'after ${name}'`));
  }
});
