import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import type { SignedIn } from '../support/identity-gateway.ts';
import { postgresServers } from '../support/postgres.ts';
import { run } from '../support/run.ts';
import { startStack, type Connected, type Stack } from '../support/stack.ts';
import { until } from '../support/until.ts';
import { coursesInLog, coursesInRecord, logEverything } from './both-records.ts';
import { drivers } from './toolchains.ts';

/** `npm run prove -- drivers`: before every server that is here, and again and again. */
const rounds = Number(process.env['HOOP_PROVE_DRIVER_ROUNDS'] ?? 1);
const servers = rounds > 1 ? postgresServers : postgresServers.slice(0, 1);

describe.each(servers)('drivers through hoop to $name', ({ start }) => {
  let server: PostgresServer;
  let stack: Stack;
  let alice: SignedIn;

  beforeAll(async () => {
    server = await start({ database: 'orders', settings: logEverything });
    stack = await startStack({ postgres: server });
    await stack.addUser('alice');
    alice = await stack.signIn('alice');
  });
  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]();
    await server?.stop();
  });

  test.each(Object.keys(drivers))(
    '%s: all that it can do gives what it gives directly, and the record is the server’s own log',
    async (name) => {
      const program = drivers[name]!();
      if ('missing' in program) {
        expect(rounds > 1 && program.isFailure, program.missing).toBe(false);
        return void process.stderr.write(`NOT CHECKED: ${name} through hoop: ${program.missing}\n`);
      }
      for (let round = 0; round < rounds; round++) {
        const direct = await run(
          program.file,
          program.args,
          environment(server, { PGSSLMODE: 'disable', ...program.environment }),
        );
        const connected = await stack.connect(alice);
        const through = await run(program.file, program.args, environment(connected, program.environment));
        await connected.idle();
        await connected.close();
        expect(direct.code, direct.stderr).toBe(0);
        expect(through).toMatchObject({ code: 0, stderr: direct.stderr });
        expect(through.stdout.split('\n')).toEqual(direct.stdout.split('\n'));
        await expectWholeRecord(connected.session, through.stdout);
      }
    },
    240_000 + 60_000 * rounds, // the first time with all that a driver needs
  );

  /** Each statement once, in order, with its parameters and its error, on as many connections; no less COPY data than was sent. */
  async function expectWholeRecord(session: string, output: string): Promise<void> {
    const statements = await stack.statements(alice, session);
    const wanted = await coursesInRecord(server, statements);
    const length = (courses: string[][]) => courses.flat().length;
    await until(() => length(coursesInLog(server, session)) >= length(wanted), { seconds: 5 }).catch(() => undefined);
    expect(inOneOrder(wanted)).toEqual(inOneOrder(coursesInLog(server, session)));
    const asked = statements.filter(({ verb }) => verb !== 'cancel');
    expect(asked.filter(({ outcome }) => outcome === null || outcome.status === 'unknown')).toEqual([]);
    const copied = statements.map(({ dataBytes, outcome }) => (outcome?.status === 'ok' ? (dataBytes ?? 0) : 0));
    expect(copied.reduce((sum, bytes) => sum + bytes, 0)).toBeGreaterThanOrEqual(
      Number(/"copyBytes": ?(\d+)/.exec(output)?.[1]),
    );
  }
});

/** Which connection came first is not the point. */
const inOneOrder = (courses: string[][]) => courses.toSorted((a, b) => (a.join('\n') < b.join('\n') ? -1 : 1));

const environment = (
  { port, user, password, database }: Connected | PostgresServer,
  more: Record<string, string> = {},
) => ({
  env: {
    PGHOST: '127.0.0.1',
    PGPORT: String(port),
    PGUSER: user,
    PGPASSWORD: password,
    PGDATABASE: database,
    PGTZ: 'UTC',
    TZ: 'UTC',
    ...more,
  },
  keepBytes: 1 << 26,
  secondsMax: 60,
});
