import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bytesOf, encodeMessage, encodeParse, frontendType } from '../../src/protocol/postgres/messages.ts';
import { say } from '../support/frontend-messages.ts';
import { hasProgram } from '../support/programs.ts';
import { postgresServers } from '../support/postgres.ts';
import type { RawClient } from '../support/raw-client.ts';
import { RecordedGateway } from '../support/recorded-gateway.ts';
import { run } from '../support/run.ts';
import { logEverything } from '../support/server-log.ts';
import { until } from '../support/until.ts';

const cancelRequest = (key: Buffer): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32BE(8 + key.length);
  bytes.writeUInt32BE(80_877_102, 4);
  return Buffer.concat([bytes, key]);
};
/** A Query of raw bytes, in whatever encoding. */
const rawQuery = (...parts: (string | number[])[]): Uint8Array =>
  encodeMessage(
    frontendType.query,
    ...parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part))),
    Buffer.of(0),
  );

describe.each(postgresServers)('what changes the meaning of statements, on $name', ({ start }) => {
  let gateway: RecordedGateway;
  beforeAll(async () => {
    gateway = await RecordedGateway.before(
      await start({ settings: [...logEverything, 'max_prepared_transactions = 5'] }),
    );
  });
  afterAll(() => gateway?.close());

  async function begin() {
    const session = await gateway.session();
    const client = await session.open();
    const key = client.received.find(({ type }) => type === 'K')!.body;
    client.received.length = 0;
    return { session, client, key };
  }

  async function ask(client: RawClient, ...messages: Uint8Array[]): Promise<(string | null)[]> {
    client.send(...messages);
    await client.until(() => client.types().endsWith('Z') || client.isClosed);
    const rows = client.rows();
    client.received.length = 0;
    return rows;
  }

  describe('cancel', () => {
    it('with a key that nobody has reaches nothing, and the statement goes on', async () => {
      const { session, client, key } = await begin();
      client.send(say.query('select pg_sleep(0.3)'));
      for (const wrong of [Buffer.alloc(8), Buffer.from(key).fill(0, 7), Buffer.concat([key, Buffer.of(0)])]) {
        const canceller = await session.dial();
        canceller.send(cancelRequest(wrong));
        await canceller.until(() => canceller.isClosed);
      }
      await client.until(() => client.types().endsWith('Z'));
      const { statements } = await session.record();
      expect(statements.map(({ verb, outcome }) => [verb, outcome?.status])).toEqual([['query', 'ok']]);
    });

    it('of another stream of the session hits that one only, and stands with it', async () => {
      const { session, client, key } = await begin();
      const other = await session.open();
      client.send(say.query('select pg_sleep(60)'));
      other.send(say.query('select pg_sleep(1)'));
      await until(() => gateway.executed('').includes('select pg_sleep(60)')); // a cancel of what does not run yet is lost
      const canceller = await session.dial();
      canceller.send(cancelRequest(key));
      await client.until(() => client.types().endsWith('EZ'));
      await other.until(() => other.types().endsWith('CZ'));
      const { statements } = await session.record();
      const cancel = statements.find(({ verb }) => verb === 'cancel')!;
      const queries = statements.filter(({ verb }) => verb === 'query');
      expect(queries.map(({ text, outcome }) => [text, outcome?.status]).toSorted()).toEqual([
        ['select pg_sleep(1)', 'ok'],
        ['select pg_sleep(60)', 'cancelled'],
      ]);
      expect(cancel.stream).toBe(queries.find(({ outcome }) => outcome?.status === 'cancelled')!.stream);
    });

    it('with a key of another session reaches nothing there', async () => {
      const one = await begin();
      const two = await begin();
      one.client.send(say.query('select pg_sleep(0.3)'));
      const canceller = await two.session.dial();
      canceller.send(cancelRequest(one.key));
      await one.client.until(() => one.client.types().endsWith('Z'));
      const records = [await one.session.record(), await two.session.record()];
      expect(records.map(({ statements }) => statements.map(({ verb, outcome }) => [verb, outcome?.status]))).toEqual([
        [['query', 'ok']],
        [],
      ]);
    });

    it('while nothing runs is recorded, and hits nothing that comes later', async () => {
      const { session, client, key } = await begin();
      const canceller = await session.dial();
      canceller.send(cancelRequest(key));
      await canceller.until(() => canceller.isClosed);
      await ask(client, say.query('select pg_sleep(0.2)'));
      const { statements } = await session.record();
      expect(statements.map(({ verb, outcome }) => [verb, outcome?.status ?? null])).toEqual([
        ['cancel', null],
        ['query', 'ok'],
      ]);
    });
  });

  describe('encodings', () => {
    it.each([
      // The second byte of each is a backslash: who reads them as Latin-1 sees an escape that the server does not.
      ['SJIS', [0x83, 0x5c], 'ソ'],
      ['GBK', [0xbf, 0x5c], '縗'],
      ['BIG5', [0xa5, 0x5c], '功'],
      ['LATIN1', [0xe9], 'é'],
    ])('%s: the record has the exact bytes and the name of the encoding', async (encoding, bytes, character) => {
      const { session, client } = await begin();
      await ask(client, say.query(`set client_encoding to '${encoding}'`));
      const text = Buffer.concat([Buffer.from("select ascii('"), Buffer.from(bytes), Buffer.from("')")]);
      const rows = await ask(client, rawQuery("select ascii('", bytes, "')"));
      expect(rows).toEqual([String(character.codePointAt(0))]); // as the server read it
      await ask(
        client,
        encodeParse({ name: bytesOf(''), text, types: [] }),
        say.bind('', ''),
        say.execute(''),
        say.sync(),
      );
      const { statements, states } = await session.record();
      expect(states).toContainEqual({ client_encoding: encoding });
      expect(statements.slice(1)).toMatchObject(
        ['query', 'execute'].map((verb) => ({ verb, encoding, textBase64: text.toString('base64') })),
      );
    });

    it('an encoding that changes inside one Query: the whole text is in the record as it was sent', async () => {
      const { session, client } = await begin();
      await ask(client, rawQuery("set client_encoding to 'LATIN1'; select '", [0xc3, 0xa9], "'"));
      const { statements, states } = await session.record();
      expect(statements[0]!.text).toBe("set client_encoding to 'LATIN1'; select 'é'"); // read as UTF-8, as the server did
      expect(states).toContainEqual({ client_encoding: 'LATIN1' });
    });

    it('bytes that are not of the encoding: the server refuses them, the record has them', async () => {
      const { session, client } = await begin();
      await ask(client, rawQuery("select '", [0xff], "'"));
      const { statements } = await session.record();
      expect(statements).toMatchObject([
        { textBase64: Buffer.from("select '\xff'", 'latin1').toString('base64'), outcome: { errorCode: '22021' } },
      ]);
    });
  });

  it('standard_conforming_strings off stands in the record before the text that is read by it', async () => {
    const { session, client } = await begin();
    const text = String.raw`select 'a\'; drop table nowhere; --'`;
    await ask(client, say.query('set standard_conforming_strings to off'));
    expect(await ask(client, say.query(text))).toEqual(["a'; drop table nowhere; --"]);
    const { entries } = await session.record();
    const told = entries.findIndex(({ kind, ...rest }) => {
      const { name, value } = rest as { name?: string; value?: string };
      return kind === 'state' && name === 'standard_conforming_strings' && value === 'off';
    });
    const asked = entries.findIndex((entry) => entry.kind === 'statement' && String(entry.text) === text);
    expect(told).toBeGreaterThan(-1);
    expect(asked).toBeGreaterThan(told);
  });

  it('two-phase commit: both halves are in the record, each with the stream that did it', async () => {
    const { session, client } = await begin();
    const other = await session.open();
    other.received.length = 0;
    await ask(client, say.query('create table if not exists kept (id int)'));
    for (const sql of ['begin', 'insert into kept values (1)', "prepare transaction 'half'"])
      await ask(client, say.query(sql));
    await ask(other, say.query("commit prepared 'half'"));
    const { statements } = await session.record();
    expect(statements.map(({ text, outcome }) => [text, outcome?.tag])).toEqual([
      ['create table if not exists kept (id int)', 'CREATE TABLE'],
      ['begin', 'BEGIN'],
      ['insert into kept values (1)', 'INSERT 0 1'],
      ["prepare transaction 'half'", 'PREPARE TRANSACTION'],
      ["commit prepared 'half'", 'COMMIT PREPARED'],
    ]);
    expect(statements[4]!.stream).not.toBe(statements[3]!.stream);
  });

  it('SET ROLE and SET SESSION AUTHORIZATION: whose rights a statement had can be read', async () => {
    const { session, client } = await begin();
    await ask(client, say.query('drop role if exists reader; create role reader'));
    await ask(client, say.query('set role reader'));
    expect(await ask(client, say.query('select current_user'))).toEqual(['reader']);
    await ask(client, say.query('reset role'));
    await ask(client, say.query('set session authorization reader'));
    const { statements, states } = await session.record();
    expect(statements.map(({ text }) => text).slice(1)).toEqual([
      'set role reader',
      'select current_user',
      'reset role',
      'set session authorization reader',
    ]);
    expect(states).toContainEqual({ session_authorization: 'reader' });
    expect(states).toContainEqual({ is_superuser: 'off' });
  });

  it('LISTEN and NOTIFY: who asked and who told is in the record; what comes of it reaches the listener', async () => {
    const { session, client } = await begin();
    const teller = await session.open();
    teller.received.length = 0;
    await ask(client, say.query('listen news'));
    await ask(teller, say.query("notify news, 'told'"));
    await client.until(() => client.types().includes('A'));
    expect(client.received.find(({ type }) => type === 'A')!.body.toString()).toContain('news\0told');
    const { statements } = await session.record();
    expect(statements.map(({ text }) => text)).toEqual(['listen news', "notify news, 'told'"]);
  });

  it('large objects by SQL: the bytes are in the text', async () => {
    const { session, client } = await begin();
    const sql = String.raw`select lo_from_bytea(0, '\x736563726574') > 0`;
    expect(await ask(client, say.query(sql))).toEqual(['t']);
    expect((await session.record()).statements).toMatchObject([{ text: sql, outcome: { status: 'ok' } }]);
  });

  it.runIf(hasProgram('psql'))(
    'large objects by FunctionCall, as psql does it: every byte is in the record',
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'hoop-large-'));
      const file = join(folder, 'file');
      const content = Buffer.from(Array.from({ length: 20_000 }, (_, index) => index % 251));
      writeFileSync(file, content);
      const session = await gateway.session();
      const { port, user, password, database } = session.local;
      const { code, stdout, stderr } = await run('psql', ['-X', '-w', '-c', `\\lo_import ${file}`], {
        env: { PGHOST: '127.0.0.1', PGPORT: `${port}`, PGUSER: user, PGPASSWORD: password, PGDATABASE: database },
      });
      rmSync(folder, { recursive: true });
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(/lo_import \d+/);
      const { statements } = await session.record();
      const calls = statements.filter(({ verb }) => verb === 'function-call');
      const sent = calls.flatMap(({ parameters }) => parameters.map(({ base64 }) => Buffer.from(base64!, 'base64')));
      expect(Buffer.concat(sent.filter(({ length }) => length > 8))).toEqual(content);
      expect(calls.every(({ outcome, functionId }) => outcome?.status === 'ok' && functionId! > 0)).toBe(true);
    },
  );
});
