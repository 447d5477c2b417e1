import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import { witnessList } from '../../src/agent/witness-export.ts';
import { readReceiptFiles } from '../../src/client/receipt-store.ts';
import { parseCheckpoint } from '../../src/recording/checkpoint.ts';
import { parseVerifierKey } from '../../src/recording/note.ts';
import { verdicts } from '../../src/recording/verdicts.ts';
import { parseWitnessList } from '../../src/recording/witness-list.ts';
import { checkedEntries } from '../../src/recording/chain.ts';
import { parseSessionId } from '../../src/recording/session-id.ts';
import { statementsOf } from '../../src/recording/timeline.ts';
import type { Session, Statement } from '../../src/shared/api.ts';
import { Archive } from '../../src/store/archive.ts';
import { verifyDataDir } from '../../src/store/verify-directory.ts';
import { Deployment, type Ready, type Role } from '../support/deployment.ts';
import { at, startLoad } from '../support/load.ts';
import { collect, showBytes } from '../support/recorder.ts';
import { startAnyPostgres } from '../support/postgres.ts';
import { hasProgram } from '../support/programs.ts';
import { executed, logEverything, missing, recorded } from '../support/server-log.ts';
import { until } from '../support/until.ts';
import { proofSeed, seededRandom } from './random.ts';

const kills = Number(process.env.HOOP_PROVE_KILLS ?? 100);
const seed = proofSeed();
const random = seededRandom(seed);
type Victim = 'gateway' | 'agent' | 'client';
/** Who is killed at once, round by round. A gateway takes longest to start again, so it is every fifth. */
const ways: readonly [Victim, ...Victim[]][] = [
  ['gateway', 'agent'],
  ['client'],
  ['agent'],
  ['gateway', 'client'],
  ['agent', 'client'],
  ['client'],
  ['agent'],
];
/** So many rounds before the record is looked at: what is asked of it does not depend on when. */
const roundsPerLook = 10;

interface Round {
  round: number;
  victims: readonly [Victim, ...Victim[]];
  millis: number;
}

const looks: { rounds: Round[]; from: number; count: number }[] = [];
for (let round = 0, killed = 0; killed < kills; round++) {
  const victims = ways[round % ways.length]!;
  const look = looks.at(-1)?.rounds.length === roundsPerLook ? undefined : looks.at(-1);
  const planned = { round, victims, millis: Math.floor(random() * 200) };
  if (look) look.rounds.push(planned);
  else looks.push({ rounds: [planned], from: killed, count: 0 });
  killed += victims.length;
  looks.at(-1)!.count += victims.length;
}

/** How the session's record may end: of two that go at once, the gateway misses either first. */
const endings = (victims: readonly Victim[]) =>
  victims.includes('gateway')
    ? { state: 'interrupted', reasons: ['interrupted'] }
    : { state: 'sealed', reasons: victims.map((victim) => `${victim}_lost`) };

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
    await until(async () => (await receipts()).length > 0); // of its beginning: killed is what has acknowledged something
  }, 120_000);
  afterAll(async () => {
    await hoop?.remove();
    await direct?.end();
    await server?.stop();
  });

  const gatewayKills = looks.flatMap(({ rounds }) => rounds).filter(({ victims }) => victims[0] === 'gateway').length;
  const unknown: number[] = [];
  let pipelined = 0;

  test.each(looks)('kills $from and the $count after: what ran is in the record', async ({ rounds }) => {
    const held = await checkpoint();
    const over: (Round & { before: string; name: string; answered: string[] })[] = [];
    for (const planned of rounds) {
      const name = `round-${planned.round}.`;
      const load = startLoad(ready.environment, name);
      await until(() => load.answered.length > 3, { seconds: 60, what: () => `load through hoop: ${connect.stderr}` });
      // Later rounds may be killed before pgbench has begun; the first is not.
      if (planned.round === 0) await until(async () => (await direct.query('select from load limit 1')).rowCount === 1);
      await new Promise((resolve) => setTimeout(resolve, planned.millis)); // a moment by chance is the point
      over.push({ ...planned, before: session, name, answered: load.answered });
      session = await killAndRestore(planned.victims, load.ended);
    }
    await served(rounds.map(({ round }) => `round-${round}.`));
    await expectVerified(held);
    for (const { victims, before, name, answered } of over) {
      const ended = await hoop.session(({ id, state }) => id === before && state !== 'live');
      const { state, reasons } = endings(victims);
      expect(ended).toMatchObject({ state, endedAt: expect.any(String) });
      expect(reasons).toContain(ended.reason);
      const statements = await statementsIn(before);
      const ran = executed(server.logFile!, name);
      pipelined += ran.filter((one) => one.startsWith('insert into load')).length;
      expect(missing(ran, answered)).toEqual([]); // the oracle sees what it must
      expect(missing(recorded(statements), ran)).toEqual([]);
      expect(missing(recorded(statements), answered)).toEqual([]);
      expect(statements.filter(({ outcome }) => outcome === null)).toEqual([]);
      unknown.push(statements.filter(({ outcome }) => outcome?.status === 'unknown').length);
    }
    const last = over.at(-1)!;
    const continues = last.victims.includes('client') ? null : last.before;
    expect(await hoop.session(({ id }) => id === session)).toMatchObject({
      state: 'live',
      continues,
    } as Partial<Session>);
  });

  test('what had no answer is unknown, and hoop sessions says interrupted', async () => {
    expect(Math.max(...unknown)).toBeGreaterThan(0);
    expect(pipelined).toBeGreaterThan(0); // the pipelines of pgbench took part
    expect((await hoop.run(['sessions', '--limit', '1000'])).stdout).toContain('interrupted');
    expect((await hoop.sessionsThatAre('interrupted')).length).toBeGreaterThanOrEqual(gatewayKills);
  });

  test('hoop connect has come back each time: same port, and it works', async () => {
    const client = new pg.Client(at(ready.environment));
    await client.connect();
    expect((await client.query('select 6 * 7 as answer')).rows).toEqual([{ answer: 42 }]);
    await client.end();
    expect(connect.isRunning).toBe(true);
  });

  /** Resolves to the session after, once client programs can go on. */
  async function killAndRestore(victims: readonly Victim[], loadEnded: Promise<void>): Promise<string> {
    const from = connect.stderr.length;
    const agentFrom = hoop.agent.stderr.length;
    const roles = { gateway: hoop.gateway, agent: hoop.agent, client: connect };
    await Promise.all(victims.map((victim) => roles[victim].kill('SIGKILL')));
    await loadEnded;
    if (victims.includes('gateway')) await hoop.startGateway();
    if (victims.includes('agent')) await hoop.startAgent();
    else if (victims.includes('gateway')) await hoop.agent.says(/linked/, { from: agentFrom, seconds: 60 });
    if (victims.includes('client')) {
      ({ role: connect, ready } = await hoop.connect());
      return ready.session;
    }
    const [, successor = ''] = await connect.says(/ready on .* session (\w+)/, { from, seconds: 90 });
    return successor;
  }

  /** As the archive has it. */
  async function statementsIn(id: string): Promise<Statement[]> {
    const archive = new Archive(hoop.dataDir);
    const recording = (await archive.find(id))!;
    const entries = checkedEntries({ id, idBytes: parseSessionId(id)! }, archive.read(recording));
    return collect(statementsOf(entries, { session: id, renderParameter: showBytes }));
  }

  const receipts = () => readReceiptFiles(join(hoop.alice.configDir, 'receipts'));
  const checkpoint = () => readFile(join(hoop.dataDir, 'log/checkpoint'), 'utf8');

  /** Everything that the log has holds: it begins with what was signed before the kills, and has all that client and agent were shown. */
  async function expectVerified(held: string): Promise<void> {
    const key = parseVerifierKey(await (await fetch(`${hoop.url}/log/key`)).text())!;
    const seen = parseWitnessList(await witnessList(hoop.agentState));
    const trust = { keys: [key], held: parseCheckpoint(held), receipts: await receipts(), seen, witnesses: seen.keys };
    const report = await verifyDataDir(hoop.dataDir, trust);
    expect(report.sessions.filter(({ verdict }) => verdicts[verdict].exit !== 0)).toEqual([]);
    expect(verdicts[report.verdict].exit).toBe(0);
  }

  /** Waits until the server has ended the connections of these loads, and its log is written. */
  async function served(names: string[]): Promise<void> {
    const open = 'select count(*)::int as open from pg_stat_activity where application_name like $1';
    for (const name of names) await until(async () => (await direct.query(open, [`%${name}`])).rows[0].open === 0);
    const name = names.at(-1);
    await direct.query(`select 'after ${name}'`);
    await until(() => executed(server.logFile!, 'direct').includes(`select 'after ${name}'`));
  }
});
