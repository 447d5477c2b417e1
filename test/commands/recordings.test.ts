import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import { Deployment } from '../support/deployment.ts';
import { at } from '../support/load.ts';
import { startAnyPostgres } from '../support/postgres.ts';

const secret = 'the patient is called Zoe';
let server: PostgresServer;
let hoop: Deployment;
/** Has one statement with the secret. */
let session: string;
let seq: number;

beforeAll(async () => {
  server = await startAnyPostgres();
  hoop = await Deployment.start({ postgres: server });
  const { role, ready } = await hoop.connect();
  const client = new pg.Client(at(ready.environment));
  await client.connect();
  await client.query('select $1::text as told', [secret]);
  await client.end();
  role.signal('SIGINT');
  await role.ended;
  ({ session } = ready);
  await hoop.session(({ id, state }) => id === session && state === 'sealed');
  const told = (await hoop.statements(session)).find(({ text }) => text?.includes('told'));
  seq = told!.seq;
}, 120_000);
afterAll(async () => {
  await hoop?.remove();
  await server?.stop();
});

const recordings = (...args: string[]) => hoop.admin.run(['recordings', ...args]);

describe('hoop recordings', () => {
  test('stats: what recordings take, by resource', async () => {
    const { code, stdout } = await recordings('stats', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      recordings: 1,
      bytesPerStatement: expect.any(Number),
      holds: [],
      removed: 0,
      resources: [{ resource: 'orders-db', recordings: 1 }],
    });
    expect((await recordings('stats')).stdout).toMatch(/orders-db +1\b/);
  });

  test.each([['erase', '--seq', '3'], ['hold'], ['release']])(
    '%s of a session that is not there: exit code 7, and what to do',
    async (command, ...flags) => {
      const { code, stderr } = await recordings(command, 'nothing', ...flags);
      expect(code).toBe(7);
      expect(stderr).toContain('hoop sessions');
    },
  );

  test.each([['erase', '--seq', '3'], ['hold'], ['release'], ['stats']])(
    '%s is an administrator’s: exit code 3 for a user, also for her own session',
    async (command, ...flags) => {
      const { code, stderr } = await hoop.alice.run([
        'recordings',
        command,
        ...(command === 'stats' ? [] : [session]),
        ...flags,
      ]);
      expect({ code, stderr }).toMatchObject({ code: 3, stderr: expect.stringContaining('this needs the role admin') });
    },
  );

  test.each([[[]], [['--seq', 'x']], [['--seq', '-1']]])(
    'erase with flags %j is a mistake in typing: exit code 2',
    async (flags) => {
      expect((await recordings('erase', session, ...flags)).code).toBe(2);
    },
  );

  test('what is held is not erased; released it is, and the record still verifies', async () => {
    const held = await recordings('hold', session, '--reason', 'case 118', '--json');
    expect(held.code).toBe(0);
    expect(JSON.parse(held.stdout)).toMatchObject({ session, reason: 'case 118', heldBy: 'root' });
    expect((await recordings('stats')).stdout).toContain('case 118');

    const refused = await recordings('erase', session, '--seq', String(seq));
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/held.*hoop recordings release/s);
    expect((await hoop.run(['replay', session])).stdout).toContain(secret);

    expect((await recordings('release', session)).code).toBe(0);
    const erased = await recordings('erase', session, '--seq', String(seq), '--json');
    expect(erased.code).toBe(0);
    expect(JSON.parse(erased.stdout).entries).toContain(seq);
    const shown = (await hoop.run(['replay', session])).stdout;
    expect(shown).not.toContain(secret);
    expect(shown).toMatch(/erased.*root/);
    const verified = await hoop.admin.run(['verify', session]);
    expect({ code: verified.code, out: verified.stdout }).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^VALID_ERASED/),
    });
    expect((await hoop.run(['sessions', '--text', 'Zoe', '--json'])).stdout).not.toContain(session);
  });

  test('an entry that is no statement’s, or not there, is not erased', async () => {
    const { code, stderr } = await recordings('erase', session, '--seq', '99999');
    expect(code).toBe(7);
    expect(stderr).toContain('99999');
  });
});
