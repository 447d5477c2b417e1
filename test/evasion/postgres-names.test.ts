import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import { DecodedStream } from '../support/decoded-stream.ts';
import { say } from '../support/frontend-messages.ts';
import { postgresServers } from '../support/postgres.ts';

describe.each(postgresServers)('prepared names on $name', ({ start }) => {
  let server: PostgresServer;
  let stream: DecodedStream;

  beforeAll(async () => {
    server = await start({ hba: ['host all all 127.0.0.1/32 trust'] });
  });
  afterAll(() => server.stop());
  afterEach(() => stream.close());

  async function open(): Promise<void> {
    stream = await DecodedStream.open(server);
  }

  const use = (statement: string): Uint8Array[] => [say.bind('', statement), say.execute(''), say.sync()];

  /** Sends, waits for that many ReadyForQuery; what the rows say. */
  async function rowsOf(messages: Uint8Array[], readies = 1): Promise<string[]> {
    stream.send(...messages);
    await stream.until(() => stream.end !== null || (stream.types().match(/Z/g) ?? []).length >= readies);
    const rows = stream.rows();
    stream.received.length = 0;
    return rows;
  }

  /** What the record says ran: the texts behind the Executes that ended well. */
  const shown = (): string[] =>
    stream
      .statements('execute')
      .filter(({ outcome }) => outcome?.status === 'ok')
      .map((execute) => stream.textOf(execute));

  it('shows the text that runs when a second Parse of the name fails in a pipeline', async () => {
    await open();
    await rowsOf([say.parse('s1', "select 'A'"), say.sync()]);
    const rows = await rowsOf([say.parse('s1', "select 'B'"), say.sync(), ...use('s1')], 2);
    expect(rows).toEqual(['A']);
    expect(shown()).toEqual(["select 'A'"]);
    expect(stream.statements('parse')[1]!.outcome).toMatchObject({ status: 'error', errorCode: '42P05' });
  });

  it('shows the text that runs when Close and Parse are skipped after an error', async () => {
    await open();
    await rowsOf([say.parse('s1', "select 'A'"), say.sync()]);
    const failing = [say.parse('', 'no sql'), say.closeStatement('s1'), say.parse('s1', "select 'B'"), say.sync()];
    expect(await rowsOf([...failing, ...use('s1')], 2)).toEqual(['A']);
    expect(shown()).toEqual(["select 'A'"]);
  });

  it('shows the text that runs when a DO block redefines the name', async () => {
    await open();
    await rowsOf([say.parse('s1', "select 'A'"), say.sync()]);
    const redefine = "do $$ begin execute 'deallocate s1'; execute 'prepare s1 as select ''B'''; end $$";
    await rowsOf([say.query(redefine)]);
    expect(await rowsOf(use('s1'))).toEqual(['A']);
    expect(shown()).toEqual(["select 'A'"]);
  });

  it('shows the text that runs when a function in the same pipeline redefines every name that the server has', async () => {
    await open();
    await rowsOf([
      say.query(`create or replace function take() returns int language plpgsql as $$
        declare one text;
        begin
          for one in select name from pg_prepared_statements loop
            execute format('deallocate %I', one);
            execute format('prepare %I as select ''B''', one);
          end loop;
          return 0;
        end $$`),
    ]);
    await rowsOf([say.parse('s1', "select 'A'"), say.parse('t', 'select take()'), say.sync()]);
    const attack = [say.bind('', 't'), say.execute(''), say.bind('', 's1'), say.execute(''), say.sync()];
    expect(await rowsOf(attack)).toEqual(['0', 'A']);
    expect(await rowsOf(use('s1'))).toEqual(['A']);
    expect(shown()).toEqual(['select take()', "select 'A'", "select 'A'"]);
  });

  it('shows the text that runs under names that the server cuts to the same 63 bytes', async () => {
    await open();
    const cut = 'n'.repeat(63);
    await rowsOf([say.parse(cut, "select 'A'"), say.sync()]);
    const replaced = [say.closeStatement(`${cut}x`), say.parse(`${cut}x`, "select 'B'"), say.sync()];
    const rows = await rowsOf([...replaced, ...use(cut)], 2);
    expect(shown()).toEqual(rows.map((row) => `select '${row}'`));
    expect(rows).toHaveLength(1);
  });

  it('refuses a name made by SQL PREPARE with 26000 and a way out, and the session goes on', async () => {
    await open();
    await rowsOf([say.query("prepare s1 as select 'B'")]);
    stream.send(...use('s1'));
    await stream.until(() => stream.types().includes('Z'));
    const error = stream.received.find(({ type }) => type === 'E')!.body.toString();
    expect(error).toContain('C26000');
    expect(error).toContain('send Parse and Bind');
    expect(stream.types()).toBe('EZ');
    stream.received.length = 0;
    expect(stream.events.some((event) => event.kind === 'refusal' && event.reason === 'unknown-statement')).toBe(true);
    expect(await rowsOf([say.query('execute s1')])).toEqual(['B']);
    expect(stream.end).toBeNull();
  });

  it('rolls back what went before a refused name in the same implicit transaction', async () => {
    await open();
    await rowsOf([say.query('create table if not exists kept (id int)')]);
    const insert = [say.parse('', 'insert into kept values (1)'), say.bind('', ''), say.execute('')];
    await rowsOf([...insert, ...use('nobody')]);
    expect(await rowsOf([say.query('select count(*) from kept')])).toEqual(['0']);
  });

  it('refuses a cursor made by DECLARE with 34000, and the session goes on', async () => {
    await open();
    await rowsOf([say.query("begin; declare c cursor for select 'B'")]);
    stream.send(say.execute('c'), say.sync());
    await stream.until(() => stream.types().includes('Z'));
    expect(stream.received.find(({ type }) => type === 'E')!.body.toString()).toContain('C34000');
    stream.received.length = 0;
    await rowsOf([say.query('rollback')]);
    expect(await rowsOf([say.query('select 1')])).toEqual(['1']);
  });

  it('keeps names of the wire usable by SQL, as drivers do: EXECUTE, DEALLOCATE, DISCARD ALL', async () => {
    await open();
    await rowsOf([say.parse('s1', "select 'A'"), say.sync()]);
    expect(await rowsOf([say.query('execute s1')])).toEqual(['A']);
    await rowsOf([say.query('deallocate s1')]);
    expect(await rowsOf([say.parse('s1', "select 'C'"), ...use('s1')])).toEqual(['C']);
    await rowsOf([say.query('discard all')]);
    expect(await rowsOf([say.parse('s1', "select 'D'"), ...use('s1')])).toEqual(['D']);
    expect(shown()).toEqual(["select 'C'", "select 'D'"]);
  });

  it('refuses a text whose bytes would now be read otherwise', async () => {
    await open();
    const twoFaced = String.raw`select '\' as x, ' || 66 --'`; // a comment to one reading, a string to the other
    await rowsOf([say.parse('s1', twoFaced), say.sync()]);
    await rowsOf([say.query('set standard_conforming_strings = off')]);
    expect(await rowsOf(use('s1'))).toEqual([]);
    expect(stream.statements('bind')[0]!.outcome).toMatchObject({ status: 'error', errorCode: '26000' });
    await rowsOf([say.query('set standard_conforming_strings = on')]);
    expect(await rowsOf(use('s1'))).toEqual(['\\']);
  });

  it('parses a statement that is used again and again no second time', async () => {
    await open();
    await rowsOf([say.parse('s1', 'select $1::text'), say.sync()]);
    for (let count = 0; count < 5; count++) {
      expect(await rowsOf([say.bind('', 's1', `v${count}`), say.execute(''), say.sync()])).toEqual([`v${count}`]);
    }
    const sent = Buffer.concat(stream.forwarded).toString('latin1');
    expect(sent.split('select $1::text')).toHaveLength(3); // under the client's name, and once as the unnamed one
  });

  it('parses a text that was prepared under many names once for all of them', async () => {
    await open();
    const names = ['a', 'b', 'c'];
    await rowsOf([...names.map((name) => say.parse(name, 'select $1::text')), say.sync()]);
    const each = names.flatMap((name) => [say.bind('', name, name), say.execute('')]);
    expect(await rowsOf([...each, ...each, say.sync()])).toEqual([...names, ...names]);
    expect(await rowsOf([...each, say.sync()])).toEqual(names);
    expect(shown()).toEqual(Array.from({ length: 9 }, () => 'select $1::text'));
    const sent = Buffer.concat(stream.forwarded).toString('latin1');
    expect(sent.split('select $1::text')).toHaveLength(1 + names.length + 1);
  });

  it('parses a text again where it was prepared anew, because what it means may have changed since', async () => {
    await open();
    await rowsOf([say.query('create temp table changing (value integer)')]);
    const text = 'select coalesce($1, value) from changing';
    const parse = [say.parse('before', text), say.sync()];
    await rowsOf(parse);
    await rowsOf([say.bind('', 'before', '1'), say.execute(''), say.sync()]);
    await rowsOf([say.query("alter table changing alter value type text; insert into changing values ('x')")]);
    await rowsOf([say.parse('after', text), say.sync()]);
    expect(await rowsOf([say.bind('', 'after', 'no number'), say.execute(''), say.sync()])).toEqual(['no number']);
  });

  it('parses again what has the same text and other types', async () => {
    await open();
    const [int4, textType] = [23, 25];
    await rowsOf([
      say.parse('i', 'select pg_typeof($1)::text', int4),
      say.parse('t', 'select pg_typeof($1)::text', textType),
      say.sync(),
    ]);
    const run = (name: string) => [say.bind('', name, '1'), say.execute('')];
    expect(await rowsOf([...run('i'), ...run('t'), ...run('i'), say.sync()])).toEqual(['integer', 'text', 'integer']);
  });

  it('answers rightly when two statements alternate', async () => {
    await open();
    await rowsOf([say.parse('a', "select 'A'"), say.parse('b', "select 'B'"), say.sync()]);
    const both = [say.bind('', 'a'), say.execute(''), say.bind('', 'b'), say.execute('')];
    expect(await rowsOf([...both, ...both, say.sync()])).toEqual(['A', 'B', 'A', 'B']);
    expect(shown()).toEqual(["select 'A'", "select 'B'", "select 'A'", "select 'B'"]);
  });
});
