import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import { encodeBind, encodeExecute, encodeTarget, frontendType } from '../../src/protocol/postgres/messages.ts';
import { DecodedStream } from '../support/decoded-stream.ts';
import { say } from '../support/frontend-messages.ts';
import { postgresServers } from '../support/postgres.ts';

/** Two codes of Shift JIS for one character (≒): the server converts both to the same name. */
const one = Uint8Array.of(0x81, 0xe0);
const other = Uint8Array.of(0x87, 0x90);

const bindPortal = (portal: Uint8Array): Uint8Array =>
  encodeBind({ portal, statement: new Uint8Array(0), formats: [], values: [], resultFormats: [] });

describe.each(postgresServers)('portals on $name', ({ start }) => {
  let server: PostgresServer;
  let stream: DecodedStream;

  beforeAll(async () => {
    server = await start({ hba: ['host all all 127.0.0.1/32 trust'] });
  });
  afterAll(() => server.stop());
  afterEach(() => stream.close());

  it('never passes off one text as another by two spellings of a name', async () => {
    stream = await DecodedStream.open(server);
    stream.send(say.query("set client_encoding = 'SJIS'"));
    await stream.ready();
    stream.send(say.query('begin'));
    await stream.ready();
    stream.send(say.parse('', "values ('harmless')"), bindPortal(one), say.sync());
    await stream.ready();
    stream.send(encodeTarget(frontendType.close, { what: 'portal', name: other }));
    stream.send(say.parse('', "values ('evil')"), bindPortal(other), encodeExecute({ portal: one, rowLimit: 0 }));
    stream.send(say.sync());
    await stream.until(() => stream.types().endsWith('Z'));
    const [execute] = stream.statements('execute');
    const shown = { text: stream.textOf(execute!), resolved: execute!.resolved !== false };
    expect(stream.rows()).toEqual(['evil']);
    expect(shown).toEqual({ text: "values ('harmless')", resolved: false });
  });

  it('is sure of a portal that is fetched in pieces, and not after other SQL ran', async () => {
    stream = await DecodedStream.open(server);
    stream.send(say.query('begin'));
    await stream.ready();
    const first = [say.parse('s', 'select generate_series(1, 5)'), say.bind('p', 's'), say.execute('p', 2), say.sync()];
    stream.send(...first);
    expect(await stream.ready()).toBe('12DDsZ');
    stream.send(say.execute('p', 2), say.sync());
    expect(await stream.ready()).toBe('DDsZ');
    stream.send(say.query("do $$ begin execute 'close p'; execute 'declare p cursor for select 66'; end $$"));
    await stream.ready();
    stream.send(say.execute('p'), say.sync());
    await stream.until(() => stream.types().endsWith('Z'));
    expect(stream.rows()).toEqual(['66']);
    const executes = stream.statements('execute');
    expect(executes.map(({ resolved }) => resolved)).toEqual([undefined, undefined, false]);
    expect(executes.map(({ outcome }) => outcome?.status)).toEqual(['suspended', 'suspended', 'ok']);
    expect(executes.map(({ outcome }) => outcome?.rows)).toEqual([2, 2, 1]);
  });

  it('is sure of a portal while it runs itself: the server lets nothing take its name', async () => {
    stream = await DecodedStream.open(server);
    stream.send(
      say.query(`create or replace function take_p() returns int language plpgsql as $$
        begin execute 'close p'; execute 'declare p cursor for select 66'; return 1; end $$`),
    );
    await stream.ready();
    stream.send(say.parse('', 'select take_p()'), say.bind('p', ''), say.execute('p'), say.execute('p'), say.sync());
    await stream.until(() => stream.types().endsWith('Z'));
    expect(stream.rows()).toEqual([]);
    const [first, second] = stream.statements('execute');
    expect(first!.outcome).toMatchObject({ status: 'error', errorMessage: 'cannot drop active portal "p"' });
    expect(second!.outcome?.status).toBe('skipped');
  });

  it('never says that the old text ran again when a Bind that fails has emptied the unnamed portal', async () => {
    stream = await DecodedStream.open(server);
    stream.send(say.query('begin'));
    await stream.ready();
    stream.send(say.parse('', 'select $1::int'), say.bind('', '', '1'), say.execute(''), say.sync());
    await stream.ready();
    stream.send(say.bind('', '', 'no number'), say.sync());
    await stream.ready();
    stream.send(say.execute(''), say.sync());
    await stream.ready();
    const [, again] = stream.statements('execute');
    expect(again!.of).toBeUndefined();
    expect(again!.outcome).toMatchObject({ status: 'error', errorCode: '34000' });
  });
});
