import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeMessage, frontendType } from '../../src/protocol/postgres/messages.ts';
import { protocol30, protocol32 } from '../../src/protocol/postgres/startup.ts';
import { say } from '../support/frontend-messages.ts';
import { postgresServers } from '../support/postgres.ts';
import { startupPacket } from '../support/raw-client.ts';
import { RecordedGateway, type RecordedSession } from '../support/recorded-gateway.ts';
import { logEverything } from '../support/server-log.ts';
import { until } from '../support/until.ts';

const request = (code: number, rest = ''): Buffer => {
  const bytes = Buffer.alloc(8 + rest.length);
  bytes.writeUInt32BE(bytes.length);
  bytes.writeUInt32BE(code, 4);
  bytes.write(rest, 8, 'latin1');
  return bytes;
};
const ssl = request(80_877_103);
const gss = request(80_877_104);
const damage = "select 'damage'";

describe.each(postgresServers)('start-up before $name', ({ start }) => {
  let gateway: RecordedGateway;
  beforeAll(async () => {
    gateway = await RecordedGateway.before(await start({ settings: logEverything }));
  });
  afterAll(() => gateway?.close());

  const identity = ({ local }: RecordedSession): [string, string][] => [
    ['user', local.user],
    ['database', local.database],
  ];

  /** Sends bytes on a fresh connection; the error that the client got, and the record. */
  async function turnedAway(bytes: (session: RecordedSession) => Buffer) {
    const session = await gateway.session();
    const client = await session.dial();
    client.send(bytes(session));
    await client.until(() => client.isClosed || client.types().includes('E'));
    const error = client.received.find(({ type }) => type === 'E')?.body.toString() ?? '';
    return { error, ...(await session.record()) };
  }

  it('a second StartupMessage in the place of the password logs nobody in (CVE-2026-107350)', async () => {
    const { refusals, statements } = await turnedAway((session) =>
      Buffer.concat([
        startupPacket(identity(session)),
        startupPacket([
          ['user', 'postgres'],
          ['database', session.local.database],
        ]),
      ]),
    );
    expect(refusals).toEqual(['unknown-message']);
    expect(statements.map(({ verb }) => verb)).toEqual(['refusal']);
  });

  it('a second StartupMessage after the login is refused, and nothing behind it runs (CVE-2026-107350)', async () => {
    const session = await gateway.session();
    const client = await session.open({ parameters: { application_name: 'twice' } });
    const second = startupPacket([['user', 'postgres']]);
    client.send(say.query('select 1'), second, say.query("select 'as somebody else'"));
    await client.until(() => client.isClosed);
    const { refusals, statements } = await session.record();
    expect(refusals).toEqual(['unknown-message']);
    expect(statements.map(({ verb, text }) => [verb, text])).toEqual([
      ['query', 'select 1'],
      ['refusal', null],
    ]);
    expect(gateway.executed('twice').filter((text) => text !== 'select 1')).toEqual([]);
  });

  it.each<[string, (session: RecordedSession) => Buffer, string]>([
    ['the user twice', (session) => startupPacket([...identity(session), ['user', 'postgres']]), 'duplicate-parameter'],
    ['the same in capitals', (session) => startupPacket([...identity(session), ['USER', 'x']]), 'duplicate-parameter'],
    [
      '10,001 bytes',
      (session) => {
        const used = startupPacket([...identity(session), ['application_name', '']]).length;
        return startupPacket([...identity(session), ['application_name', 'x'.repeat(10_001 - used)]]);
      },
      'bad-startup',
    ],
    ['a length that wraps', () => Buffer.from([0xff, 0xff, 0xff, 0xff, 0, 3, 0, 0]), 'bad-startup'],
    ['protocol 2.0', (session) => startupPacket(identity(session), 0x20000), 'bad-startup'],
    ['no user', ({ local }) => startupPacket([['database', local.database]]), 'no-user'],
    ['replication', (session) => startupPacket([...identity(session), ['replication', 'database']]), 'replication'],
    [
      'physical replication',
      (session) => startupPacket([...identity(session), ['replication', 'true']]),
      'replication',
    ],
    [
      'a setting that is not listed',
      (session) => startupPacket([...identity(session), ['session_preload_libraries', 'evil']]),
      'start-up-parameter',
    ],
    [
      'another role inside options',
      (session) => startupPacket([...identity(session), ['options', '-c work_mem=1MB -c role=postgres']]),
      'start-up-parameter',
    ],
    [
      'a role behind an escaped space',
      (session) => startupPacket([...identity(session), ['options', '--role=post\\ gres']]),
      'start-up-parameter',
    ],
    [
      'a switch of the server program in options',
      (session) => startupPacket([...identity(session), ['options', '-O']]),
      'start-up-parameter',
    ],
  ])('%s: the record shows the refusal, the server hears nothing', async (_, bytes, reason) => {
    const { refusals, statements, error } = await turnedAway(bytes);
    expect(refusals).toEqual([reason]);
    expect(statements.map(({ verb }) => verb)).toEqual(['refusal']);
    expect(error).toContain('FATAL');
  });

  it.each<[string, Uint8Array, (session: RecordedSession) => Uint8Array]>([
    ['a query behind an SSLRequest (CVE-2021-23214)', ssl, () => say.query(damage)],
    ['a login behind an SSLRequest (CVE-2021-23214)', ssl, (session) => startupPacket(identity(session))],
    ['a login behind a GSSENCRequest (CVE-2021-23222)', gss, (session) => startupPacket(identity(session))],
  ])('%s ends the connection before anything is read of it', async (_, asked, behind) => {
    const session = await gateway.session();
    const client = await session.dial();
    client.expectBytes();
    client.send(asked, behind(session));
    await client.until(() => client.isClosed);
    expect((await session.record()).statements).toEqual([]);
  });

  it('GSSENCRequest again and again is refused', async () => {
    const session = await gateway.session();
    const client = await session.dial();
    for (let times = 0; times < 2; times++) {
      client.expectBytes();
      client.send(gss);
      expect(await client.byte()).toBe('N'); // of the local port, then of the gateway
    }
    client.send(gss);
    await client.until(() => client.isClosed || client.types().includes('E'));
    expect((await session.record()).refusals).toEqual(['bad-startup']);
  });

  it('a web page that posts a query here runs none', async () => {
    const session = await gateway.session();
    const client = await session.dial();
    client.expectBytes();
    client.send(Buffer.from('POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\nselect 1;'));
    expect(await client.byte()).toMatch(/^HTTP\/1\.1 400/);
    expect((await session.record()).refusals).toEqual(['http']);
  });

  it.each([
    ['something that is no TLS where TLS was agreed', true, say.query(damage)],
    ['TLS begun at once, and then not', false, Buffer.from([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0])],
  ])('%s: nothing of it reaches the gateway', async (_, isAsked, bytes) => {
    const session = await gateway.session();
    const client = await session.dial();
    client.expectBytes();
    if (isAsked) {
      client.send(ssl);
      expect(await client.byte()).toBe('S');
      client.expectBytes();
    }
    client.send(bytes);
    await client.until(() => client.isClosed);
    expect((await session.record()).statements).toEqual([]);
  });

  it('search_path of the start-up packet stands in the record before the statement that it changes (CVE-2025-12819)', async () => {
    const session = await gateway.session();
    const client = await session.open({ parameters: { search_path: 'evil, public' } });
    client.send(say.query('show search_path'));
    await client.until(() => client.types().endsWith('Z') && client.rows().length === 1);
    expect(client.rows()).toEqual(['evil, public']);
    const { entries, states } = await session.record();
    expect(states).toContainEqual({ search_path: 'evil, public' });
    const first = entries.findIndex(({ kind }) => kind === 'statement');
    const told = entries.findIndex((entry) => entry.kind === 'state' && entry.name === 'search_path');
    expect(told).toBeGreaterThan(-1);
    expect(told).toBeLessThan(first);
  });

  it('no string of a client becomes a part of another connection (CVE-2021-41395)', async () => {
    const session = await gateway.session();
    const name = "x' host=evil port=1 user=postgres options='-c role=postgres";
    const client = await session.open({ parameters: { application_name: name } });
    client.send(say.query("select current_user || ' ' || current_setting('application_name')"));
    await client.until(() => client.rows().length === 1);
    expect(client.rows()[0]).toContain('postgres hoop/');
    for (const wrong of [`${session.local.database} host=evil`, 'postgres://evil/', '../x'])
      await expect(session.open({ database: wrong })).rejects.toThrow('3D000');
    await expect(session.open({ user: 'postgres' })).rejects.toThrow('28000');
    const { states, refusals } = await session.record();
    expect(states).toContainEqual({ application_name: name });
    expect(refusals).toEqual(['wrong-database', 'wrong-database', 'wrong-database', 'wrong-user']);
  });

  it('a setting inside options stands in the record as the server reads it', async () => {
    const session = await gateway.session();
    const options = '-c work_mem=2MB --search-path=a,\\ b -c statement_timeout=7s';
    const client = await session.open({ parameters: { options } });
    client.send(say.query("select current_setting('work_mem') || current_setting('search_path')"));
    await client.until(() => client.rows().length === 1);
    expect(client.rows()).toEqual(['2MBa, b']);
    const { states } = await session.record();
    expect(states).toContainEqual({ work_mem: '2MB' });
    expect(states).toContainEqual({ search_path: 'a, b' });
    expect(states).toContainEqual({ statement_timeout: '7s' });
  });

  it.each([
    ['3.9999', 0x30000 + 9999, {}, protocol32 & 0xffff],
    ['an extension', protocol30, { '_pq_.command_compression': 'on' }, 0],
  ])('%s is negotiated down to what is recorded', async (_, version, parameters, minor) => {
    const session = await gateway.session();
    const client = await session.open({ version, parameters: parameters as Record<string, string> });
    const negotiated = client.received.find(({ type }) => type === 'v')!.body;
    expect(negotiated.readInt32BE(0) & 0xffff).toBe(minor);
    expect(negotiated.readInt32BE(4)).toBe(Object.keys(parameters).length);
    client.send(say.query('select 1'));
    await client.until(() => client.types().endsWith('CZ'));
    expect((await session.record()).statements).toMatchObject([{ text: 'select 1', outcome: { status: 'ok' } }]);
  });

  it('protocol 3.2 gets a long cancel key, which cancels', async () => {
    const session = await gateway.session();
    const client = await session.open({ version: protocol32 });
    const key = client.received.find(({ type }) => type === 'K')!.body;
    expect(key.length).toBeGreaterThan(8);
    client.send(say.query('select pg_sleep(60), 3.2'));
    await until(() => gateway.executed('').includes('select pg_sleep(60), 3.2')); // a cancel of what does not run yet is lost
    const canceller = await session.dial();
    canceller.send(request(80_877_102, key.toString('latin1')));
    await client.until(() => client.types().endsWith('EZ'));
    const { statements } = await session.record();
    expect(statements.map(({ verb, outcome }) => [verb, outcome?.status])).toContainEqual(['query', 'cancelled']);
  });

  it('another message in the place of the password gets nowhere', async () => {
    const { refusals } = await turnedAway((session) =>
      Buffer.concat([startupPacket(identity(session)), encodeMessage(frontendType.sync), say.query('select 1')]),
    );
    expect(refusals).toEqual(['unknown-message']);
  });
});
