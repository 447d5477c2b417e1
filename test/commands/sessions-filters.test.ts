import { once } from 'node:events';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import type { Session, Statement } from '../../src/shared/api.ts';
import { Cli, type CliResult } from '../support/cli.ts';
import { password } from '../support/identity-gateway.ts';
import { at } from '../support/load.ts';
import { startAnyPostgres } from '../support/postgres.ts';
import { startStack, type Connected, type Stack } from '../support/stack.ts';
import { until } from '../support/until.ts';

let postgres: PostgresServer;
let stack: Stack;
let live: Connected;
const alice = new Cli();
const auditor = new Cli();
const ids = { reads: '', writes: '', live: '' };

beforeAll(async () => {
  postgres = await startAnyPostgres();
  stack = await startStack({ postgres });
  await stack.addUser('alice');
  await stack.addUser('bob');
  await stack.addUser('vera', 'auditor');
  const [a, b] = await Promise.all([stack.signIn('alice'), stack.signIn('bob')]);
  const ran = async (who: typeof a, actor: string, texts: string[]) => {
    const connected = await stack.connect(who, { actor });
    await execute(connected, texts);
    await connected.close();
    await until(async () => (await stack.session(who, connected.session)).state === 'sealed', { what: () => actor });
    return connected.session;
  };
  ids.reads = await ran(a, 'cursor', ['select 1 as needle', 'select 2', 'select no_such_column']);
  ids.writes = await ran(b, 'claude', ['create table filters (id int)', 'drop table filters']);
  live = await stack.connect(a, { actor: 'cursor' });
  ids.live = live.session;
  await execute(live, ['select 3']);
  const gateway = ['--gateway', stack.gateway.url];
  for (const result of [await alice.login('alice', password, gateway), await auditor.login('vera', password, gateway)])
    expect(result).toMatchObject({ code: 0 });
}, 60_000);
afterAll(async () => {
  alice.remove();
  auditor.remove();
  await stack?.[Symbol.asyncDispose]();
  await postgres?.stop();
});

async function execute(connected: Connected, texts: string[]): Promise<void> {
  const client = new pg.Client(at(connected.environment));
  await client.connect();
  for (const text of texts) await client.query(text).catch(() => undefined);
  await client.end();
}

const json = (result: CliResult) => JSON.parse(result.stdout);
const listed = async (cli: Cli, ...args: string[]): Promise<string[]> =>
  json(await cli.run(['sessions', '--json', ...args])).sessions.map(({ id }: Session) => id);

describe('hoop sessions finds', () => {
  it.each([
    ['all, newest first', [], ['live', 'writes', 'reads']],
    ['--actor', ['--actor', 'claude'], ['writes']],
    ['--resource', ['--resource', 'orders-db', '--limit', '2'], ['live', 'writes']],
    ['--state', ['--state', 'live'], ['live']],
    ['--since', ['--since', '1h', '--state', 'sealed'], ['writes', 'reads']],
    ['--until', ['--until', '1h'], []],
    ['--text', ['--text', 'drop table'], ['writes']],
    ['--text of a beginning', ['--text', 'needl*'], ['reads']],
    ['--class dangerous', ['--class', 'dangerous'], ['writes']],
    ['--errors', ['--errors'], ['reads']],
    ['several at once', ['--user', 'alice', '--errors', '--text', 'needle'], ['reads']],
  ] as const)('%s', async (_name, args, expected) => {
    expect(await listed(auditor, ...args)).toEqual(expected.map((name) => ids[name]));
  });

  it('page by page with --limit and --after, each session once', async () => {
    const seen: string[] = [];
    for (let after: string | null = ''; after !== null;) {
      const page = json(
        await auditor.run(['sessions', '--json', '--limit', '1', ...(after ? ['--after', after] : [])]),
      );
      seen.push(...page.sessions.map(({ id }: Session) => id));
      after = page.next;
    }
    expect(seen).toEqual([ids.live, ids.writes, ids.reads]);
  });

  it('nothing of somebody else for a user, whatever is asked', async () => {
    expect(await listed(alice, '--text', 'drop table')).toEqual([]);
  });

  it('the statement with what was looked for, and says when there is more', async () => {
    const found = await auditor.run(['sessions', '--text', 'drop table']);
    expect(found.stdout).toMatch(/STATE +MATCH\n[^]*#\d+\n$/);
    const more = await auditor.run(['sessions', '--limit', '2']);
    expect(more.stderr).toBe(`More with --after ${ids.writes}\n`);
    expect(await auditor.run(['sessions', '--user', 'nobody'])).toMatchObject({ stdout: '', stderr: 'No sessions.\n' });
  });

  it.each([[['--since', 'yesterdayish']], [['--state', 'asleep']], [['--follow', '--errors']]])(
    '%j is a usage error',
    async (args) => {
      expect(await auditor.run(['sessions', ...args])).toMatchObject({ code: 2, stdout: '' });
    },
  );
});

describe('hoop sessions --follow', () => {
  it('gives the sessions that there are and then each that starts, once', async () => {
    const { child, result } = auditor.start(['sessions', '--follow', '--json', '--resource', 'orders-db']);
    let text = '';
    child.stdout!.on('data', (more: string) => (text += more));
    const seen = () =>
      text
        .split('\n')
        .slice(0, -1)
        .map((line) => (JSON.parse(line) as Session).id);
    await until(() => seen().length >= 3, { what: () => text });
    const another = await stack.connect(await stack.signIn('bob'));
    const id = another.session;
    await another.close();
    await until(() => seen().includes(id), { what: () => text });
    child.kill('SIGINT');
    expect(await result).toMatchObject({ stderr: '' });
    expect(seen().toSorted()).toEqual([...Object.values(ids), id].toSorted());
  });
});

describe('hoop sessions show', () => {
  it('who, what, from where, counts, streams, slowest, failed, and what verify says', async () => {
    const { code, stdout } = await auditor.run(['sessions', 'show', ids.reads.slice(0, 8)]);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /user +alice\nactor +cursor \(as declared\), instance \S+\nresource +orders-db \(postgres\)/,
    );
    expect(stdout).toMatch(/holds +3 statements, 1 error, 1 stream\n/);
    expect(stdout).toMatch(/verify +VALID\n/);
    expect(stdout).toMatch(/connections \(as declared\)\nSTREAM +OPENED +ENDED +FROM\n +1 .*pid \d+/);
    expect(stdout).toMatch(/slowest\n +#\d+ /);
    expect(stdout).toMatch(/failed or refused\n +#\d+ +42703 +select no_such_column\n/);
  });

  it('--json has the same', async () => {
    const shown = json(await auditor.run(['sessions', 'show', ids.writes, '--json']));
    expect(shown).toMatchObject({ session: { id: ids.writes, user: 'bob' }, verdict: 'VALID', failed: [] });
    expect(shown.slowest.map(({ text }: Statement) => text).toSorted()).toEqual([
      'create table filters (id int)',
      'drop table filters',
    ]);
    expect(shown.streams).toHaveLength(1);
  });

  it.each(['show', 'tail', 'kill'])('%s of what is not there, or not one’s own, exits with 7', async (command) => {
    expect(await alice.run(['sessions', command, ids.writes])).toMatchObject({ code: 7, stdout: '' });
  });
});

describe('hoop sessions tail, hoop sessions kill', () => {
  it('tail shows what was before and what comes, once each; kill ends both and is recorded with its reason', async () => {
    const { child, result } = alice.start(['sessions', 'tail', ids.live, '--json']);
    let text = '';
    child.stdout!.on('data', (more: string) => (text += more));
    await once(child.stdout!, 'data');
    await execute(live, ['select 4', 'select 5']);
    await until(() => text.includes('select 5'), { what: () => text });

    expect(await auditor.run(['sessions', 'kill', ids.live])).toMatchObject({ code: 3 });
    const killed = await alice.run(['sessions', 'kill', ids.live, '--reason', 'reads too much', '--json']);
    expect(json(killed)).toMatchObject({ session: ids.live, state: 'sealed', reason: 'killed' });
    const tailed = await result;
    expect(tailed).toMatchObject({ code: 0, stderr: expect.stringContaining('sealed (killed') as string });
    const texts = tailed.stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as Statement).text);
    expect(texts).toEqual(['select 3', 'select 4', 'select 5']);
    expect(await alice.run(['sessions', 'kill', ids.live])).toMatchObject({ code: 2 });
    expect(live.states.some((state) => JSON.stringify(state).includes('reads too much'))).toBe(true);
  });
});
