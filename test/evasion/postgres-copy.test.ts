import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import { DecodedStream } from '../support/decoded-stream.ts';
import { say } from '../support/frontend-messages.ts';
import { postgresServers } from '../support/postgres.ts';

describe.each(postgresServers)('COPY on $name', ({ start }) => {
  let server: PostgresServer;
  let stream: DecodedStream;
  const opened: DecodedStream[] = [];

  beforeAll(async () => {
    server = await start({ hba: ['host all all 127.0.0.1/32 trust'] });
    const setup = await open();
    setup.send(
      say.query(`
        create table items (id int);
        create table guarded (id int);
        create function deny() returns trigger language plpgsql as $$ begin raise exception 'denied'; end $$;
        create trigger guard before insert on guarded for each statement execute function deny()`),
    );
    await setup.ready();
  });
  afterAll(() => server.stop());
  afterEach(() => Promise.all(opened.splice(0).map((one) => one.close())));

  async function open(): Promise<DecodedStream> {
    stream = await DecodedStream.open(server);
    opened.push(stream);
    return stream;
  }

  const copyInto = (table: string): Uint8Array[] => [
    say.parse('', `copy ${table} from stdin`),
    say.bind('', ''),
    say.execute(''),
    say.sync(),
  ];

  it('takes a COPY whose Sync went ahead, and what follows it', async () => {
    await open();
    stream.send(...copyInto('items'));
    await stream.until(() => stream.types().includes('G'));
    stream.send(say.copyData('1\n'), say.copyData('2\n'), say.copyDone(), say.sync());
    expect(await stream.ready()).toBe('12GCZ');
    stream.send(say.query('select 1'));
    expect(await stream.ready()).toBe('TDCZ');
    expect(stream.statements('execute')[0]!.outcome).toMatchObject({ status: 'ok', tag: 'COPY 2', rows: 2 });
    expect(stream.end).toBeNull();
  });

  it('survives a COPY that fails after its CopyInResponse but before the Sync that went ahead was read', async () => {
    await open();
    stream.send(...copyInto('guarded'));
    await stream.until(() => stream.types().includes('Z')); // the server did read that Sync
    stream.send(say.copyData('1\n'), say.copyDone(), say.sync());
    expect(await stream.ready(2)).toBe('12GEZZ');
    stream.send(say.query('select 1'));
    expect(await stream.ready()).toBe('TDCZ');
    expect(stream.end).toBeNull();
    expect(stream.statements('execute')[0]!.outcome).toMatchObject({ status: 'error', errorCode: 'P0001' });
    expect(stream.events.some(({ kind }) => kind === 'data')).toBe(false); // not forwarded, so not recorded
  });

  it('survives a COPY that fails inside its data', async () => {
    await open();
    stream.send(...copyInto('items'));
    await stream.until(() => stream.types().includes('G'));
    stream.send(say.copyData('one\n'), say.copyData('2\n'), say.copyDone(), say.sync());
    expect(await stream.ready()).toBe('12GEZ');
    stream.send(say.parse('', 'select 7'), say.bind('', ''), say.execute(''), say.sync());
    expect(await stream.ready()).toBe('12DCZ');
    expect(stream.statements('execute').map(({ outcome }) => outcome?.status)).toEqual(['error', 'ok']);
    expect(stream.end).toBeNull();
  });

  it('survives a failing COPY by a simple query with a Sync behind it', async () => {
    await open();
    stream.send(say.query('copy guarded from stdin'), say.sync());
    await stream.ready(2);
    stream.send(say.query('select 1'));
    expect(await stream.ready()).toBe('TDCZ');
    expect(stream.statements('query').map(({ outcome }) => outcome?.status)).toEqual(['error', 'ok']);
  });

  it('never calls a statement skipped that the server ran behind a failed COPY', async () => {
    await open();
    // The client answers the error before the gateway has seen that the server was not skipping at all.
    stream.onReceived = ({ type }) => {
      if (type !== 'E' || stream.end) return;
      stream.onReceived = () => undefined;
      stream.send(say.parse('', 'insert into items values (77)'), say.bind('', ''), say.execute(''), say.sync());
    };
    stream.send(...copyInto('guarded'));
    await stream.ready(2);
    const behind = stream.statements('execute')[1]?.outcome?.status;
    const check = await open();
    check.send(say.query('select count(*) from items where id = 77'));
    await check.until(() => check.types().includes('Z'));
    expect({ ran: check.rows()[0] === '1', behind }).toEqual({ ran: behind === 'ok', behind });
  });
});
