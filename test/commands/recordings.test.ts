import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import type { Statement } from '../../src/shared/api.ts';
import { Cli, type CliResult } from '../support/cli.ts';
import { password } from '../support/identity-gateway.ts';
import { at } from '../support/load.ts';
import { startAnyPostgres } from '../support/postgres.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { until } from '../support/until.ts';

let postgres: PostgresServer;
let stack: Stack;
const root = new Cli();
const alice = new Cli();
let session: string;
let seqs: number[];

beforeAll(async () => {
  postgres = await startAnyPostgres();
  stack = await startStack({ postgres });
  await stack.addUser('root', 'admin');
  await stack.addUser('alice');
  const user = await stack.signIn('alice');
  const connected = await stack.connect(user);
  ({ session } = connected);
  const client = new pg.Client(at(connected.environment));
  await client.connect();
  for (const secret of ['first', 'second']) await client.query(`select '${secret} secret'`);
  await client.end();
  await connected.close();
  await until(async () => (await stack.session(user, session)).state === 'sealed', { what: () => session });
  seqs = (await stack.statements(user, session)).map(({ seq }) => seq);
  const gateway = ['--gateway', stack.gateway.url];
  for (const result of [await root.login('root', password, gateway), await alice.login('alice', password, gateway)])
    expect(result).toMatchObject({ code: 0 });
}, 60_000);
afterAll(async () => {
  root.remove();
  alice.remove();
  await stack?.[Symbol.asyncDispose]();
  await postgres?.stop();
});

const json = (result: CliResult) => JSON.parse(result.stdout);
const replayed = async (): Promise<Statement[]> =>
  (await root.run(['replay', session, '--json'])).stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Statement);

describe('hoop recordings', () => {
  it('what is held is not erased; released, it is, the other statements stay, and the record verifies', async () => {
    const held = await root.run(['recordings', 'hold', session.slice(0, 8), '--reason', 'case 118']);
    expect(held).toMatchObject({ code: 0, stderr: '' });
    expect(held.stdout).toBe(`Session ${session} is held until: hoop recordings release ${session}\n`);
    const erase = ['recordings', 'erase', session, '--seq', String(seqs[0])];
    const refused = await root.run(erase);
    expect(refused).toMatchObject({ code: 3, stdout: '' });
    expect(refused.stderr).toContain(`session ${session} is held`);
    expect(refused.stderr).toContain('hoop recordings release');

    const stats = await root.run(['recordings', 'stats']);
    expect(stats.stdout).toMatch(/RESOURCE +RECORDINGS +STATEMENTS[^]*\norders-db +1 +2 /);
    expect(stats.stdout).toContain(`${session} by root: case 118`);
    expect(await root.run(['recordings', 'release', session])).toMatchObject({ code: 0, stderr: 'Released.\n' });

    const erased = await root.run([...erase, '--reason', 'customer data', '--json']);
    expect(erased).toMatchObject({ code: 0 });
    expect(json(erased)).toMatchObject({ session, entries: expect.arrayContaining([seqs[0]]) as number[] });
    const after = await replayed();
    const [first, second] = seqs.map((seq) => after.find((one) => one.seq === seq));
    expect(first).toMatchObject({ text: null, erased: { by: 'root' } });
    expect(second).toMatchObject({ text: "select 'second secret'" });
    const shown = await root.run(['replay', session]);
    expect(shown.stdout).toMatch(/\[erased .* by root\]/);
    expect(shown.stdout).not.toContain('first secret');
    expect(json(await root.run(['sessions', 'show', session, '--json']))).toMatchObject({ verdict: 'VALID_ERASED' });
  });

  it('--json has the hold with who and why, and the figures', async () => {
    const hold = json(await root.run(['recordings', 'hold', session, '--reason', 'case 119', '--json']));
    expect(hold).toMatchObject({ session, heldBy: 'root', reason: 'case 119' });
    const stats = json(await root.run(['recordings', 'stats', '--json']));
    expect(stats).toMatchObject({ recordings: 1, statements: 2, removed: 0, holds: [hold] });
    expect(await root.run(['recordings', 'release', session])).toMatchObject({ code: 0 });
    expect(json(await root.run(['recordings', 'stats', '--json'])).holds).toEqual([]);
  });

  it.each([
    ['hold', []],
    ['release', []],
    ['erase', ['--seq', '3']],
  ])('%s of a session that is not there exits with 7, for a user with 3', async (command, more) => {
    const unknown = await root.run(['recordings', command, 'nothing', ...more]);
    expect(unknown).toMatchObject({ code: 7, stdout: '', stderr: expect.stringContaining('nothing') as string });
    expect(await alice.run(['recordings', command, session, ...more])).toMatchObject({ code: 3, stdout: '' });
  });

  it('figures are for administrators and auditors', async () => {
    const refused = await alice.run(['recordings', 'stats', '--json']);
    expect(refused.code).toBe(3);
    expect(json(refused).error.code).toBe('HOOP_DENIED');
  });

  it('an entry that is not there, or none that is named, is a usage error', async () => {
    expect(await root.run(['recordings', 'erase', session])).toMatchObject({ code: 2 });
    expect(await root.run(['recordings', 'erase', session, '--seq', '-1'])).toMatchObject({ code: 2 });
    const result = await root.run(['recordings', 'erase', session, '--seq', '9999']);
    expect(result.code).toBeGreaterThan(1);
    expect(result.stderr).toContain('9999');
  });
});
