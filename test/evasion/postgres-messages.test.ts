import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  bytesOf,
  encodeBind,
  encodeFunctionCall,
  encodeMessage,
  frontendType,
} from '../../src/protocol/postgres/messages.ts';
import { say } from '../support/frontend-messages.ts';
import { postgresServers } from '../support/postgres.ts';
import { RecordedGateway } from '../support/recorded-gateway.ts';
import { logEverything } from '../support/server-log.ts';

/** A message whose length says something else than what it holds. */
const lying = (type: string, length: number, ...body: Uint8Array[]): Buffer => {
  const header = Buffer.alloc(5);
  header.write(type, 'latin1');
  header.writeUInt32BE(length, 1);
  return Buffer.concat([header, ...body]);
};
const damage = "select 'damage'";

describe.each(postgresServers)('messages to $name', ({ start }) => {
  let gateway: RecordedGateway;
  let program = 0;
  beforeAll(async () => {
    gateway = await RecordedGateway.before(await start({ settings: logEverything }));
  });
  afterAll(() => gateway?.close());

  /** A session with one connection, under a name of its own in the server's log. */
  async function begin() {
    const name = `program-${++program}.`;
    const session = await gateway.session();
    const client = await session.open({ parameters: { application_name: name } });
    client.received.length = 0;
    return { session, client, ran: () => gateway.executed(name) };
  }

  it.each<[string, Uint8Array, string]>([
    ['a length below its own four bytes', lying('Q', 3), 'bad-length'],
    ['a length of zero', lying('Q', 0), 'bad-length'],
    ['a length over the bound', lying('Q', 64 * 1024 * 1024 + 1), 'message-too-long'],
    ['a length past 2^31 (CVE-2024-27304)', lying('B', 2 ** 31 + 8), 'bad-length'],
    ['a length of 2^32 - 1 (RUSTSEC-2024-0363)', lying('Q', 2 ** 32 - 1), 'bad-length'],
    [
      'a Bind of over 4 GiB whose length wrapped round, with a Query inside its value (CVE-2024-27304)',
      lying('B', 12, Buffer.from('\0\0\0\0\0\x01\0\0'), say.query(damage)),
      'bad-message',
    ],
    [
      'a value that is longer than its message (CVE-2026-107348)',
      encodeMessage(frontendType.bind, Buffer.from('\0\0\0\0\0\x01\x7f\xff\xff\xff', 'latin1'), say.query(damage)),
      'bad-message',
    ],
    [
      'a value of length -2',
      encodeMessage(frontendType.bind, Buffer.from('\0\0\0\0\0\x01\xff\xff\xff\xfe\0\0', 'latin1')),
      'bad-message',
    ],
    [
      'more values than the message holds',
      encodeMessage(frontendType.bind, Buffer.from('\0\0\0\0\xff\xff', 'latin1')),
      'bad-message',
    ],
    [
      'a text with a NUL inside',
      encodeMessage(frontendType.query, Buffer.from(`select 1\0;${damage}\0`)),
      'surplus-bytes',
    ],
    ['a text without its NUL', encodeMessage(frontendType.query, Buffer.from(damage)), 'bad-message'],
    ['bytes behind a Sync', encodeMessage(frontendType.sync, Buffer.from(damage)), 'surplus-bytes'],
    ['a type that only a replica sends', encodeMessage('r'.charCodeAt(0), Buffer.from('x')), 'unknown-message'],
    [
      'a password in the midst of the session',
      encodeMessage(frontendType.password, Buffer.from('x\0')),
      'unknown-message',
    ],
    ['a type that nobody knows', encodeMessage(0x01, Buffer.from(damage)), 'unknown-message'],
    ['a query behind a Terminate', Buffer.concat([say.terminate(), say.query(damage)]), 'after-terminate'],
  ])('%s: what came before ran and is recorded, it and all behind it is refused', async (_, bytes, reason) => {
    const { session, client, ran } = await begin();
    client.send(say.query("select 'before'"), bytes, say.query(damage));
    await client.until(() => client.isClosed || client.types().includes('E'));
    const { statements, refusals } = await session.record();
    expect(refusals).toEqual([reason]);
    expect(statements.map(({ verb, text }) => [verb, text])).toEqual([
      ['query', "select 'before'"],
      ['refusal', null],
    ]);
    expect(ran().filter((text) => text !== "select 'before'")).toEqual([]);
  });

  it('a FunctionCall is in the record with its function and every argument', async () => {
    const { session, client } = await begin();
    const values = [Buffer.from([0, 0, 0, 40]), Buffer.from([0, 0, 0, 2])];
    client.send(encodeFunctionCall({ functionId: 177, formats: [1], values, resultFormat: 0 })); // int4pl
    expect(await client.ready()).toBe('VZ');
    const { statements } = await session.record();
    expect(statements).toMatchObject([
      {
        verb: 'function-call',
        functionId: 177,
        parameters: values.map((value) => ({ format: 1, base64: value.toString('base64') })),
        outcome: { status: 'ok' },
      },
    ]);
  });

  it('an error in a pipeline: the record says skipped of exactly what the server did not run', async () => {
    const { session, client, ran } = await begin();
    const run = (sql: string) => [say.parse('', sql), say.bind('', ''), say.execute('')];
    client.send(
      ...run('select 1'),
      ...run('select 1/0'),
      ...run(damage),
      say.query(damage),
      say.sync(),
      ...run('select 2'),
    );
    client.send(say.sync());
    await client.ready(2);
    const { statements } = await session.record();
    expect(statements.map(({ verb, text, outcome }) => [verb, text, outcome?.status])).toEqual([
      ['execute', 'select 1', 'ok'],
      ['bind', 'select 1/0', 'error'], // a constant is computed when it is planned
      ['execute', 'select 1/0', 'skipped'],
      ['execute', damage, 'skipped'],
      ['query', damage, 'skipped'],
      ['execute', 'select 2', 'ok'],
    ]);
    expect(ran()).toEqual(['select 1', 'select 2']);
  });

  it('several statements in one Query are one entry with the whole text, comments and all', async () => {
    const { session, client, ran } = await begin();
    const text = `select 1; /* ' */ select ';' -- end\n; ${damage}`;
    client.send(say.query(text), say.query('/* nothing */'), say.query(''));
    await client.ready(3);
    const { statements } = await session.record();
    expect(statements.map((one) => [one.text, one.outcome?.status, one.outcome?.tag])).toEqual([
      [text, 'ok', 'SELECT 1; SELECT 1; SELECT 1'],
      ['/* nothing */', 'ok', undefined],
      ['', 'ok', undefined],
    ]);
    expect(ran()).toEqual([text, '/* nothing */', '']);
  });

  it('a NULL, an empty and a binary value are three things in the record', async () => {
    const { session, client } = await begin();
    const values = [null, Buffer.alloc(0), Buffer.from([0, 0xff])];
    client.send(
      say.parse('', 'select $1::text, $2::text, $3::bytea'),
      say.describeStatement(''),
      encodeBind({ portal: bytesOf(''), statement: bytesOf(''), formats: [0, 0, 1], values, resultFormats: [] }),
      say.execute(''),
      say.sync(),
    );
    await client.ready();
    const { statements } = await session.record();
    expect(statements[0]!.parameters).toEqual([
      { type: expect.any(Number), format: 0, base64: null, shown: 'NULL' },
      { type: expect.any(Number), format: 0, base64: '', shown: "''" },
      { type: expect.any(Number), format: 1, base64: 'AP8=', shown: String.raw`'\x00ff'` },
    ]);
  });

  it('COPY data is in the record byte for byte, also of a COPY that fails', async () => {
    const { session, client } = await begin();
    client.send(say.query('create temp table t (id int, note text)'));
    await client.ready();
    for (const rows of [['1\tone\n', '2\t\\N\n'], ['no number\n']]) {
      client.send(say.query('copy t from stdin'));
      await client.until(() => client.types().includes('G'));
      client.send(...rows.map(say.copyData), say.copyDone());
      await client.ready();
    }
    const { entries, statements } = await session.record();
    const copied = Buffer.concat(entries.flatMap((entry) => (entry.kind === 'data' ? [entry.bytes] : [])));
    expect(copied).toEqual(Buffer.concat(['1\tone\n', '2\t\\N\n', 'no number\n'].map(say.copyData)));
    expect(statements.slice(1).map(({ outcome, dataBytes }) => [outcome?.status, dataBytes])).toEqual([
      ['ok', copied.length - say.copyData('no number\n').length],
      ['error', say.copyData('no number\n').length],
    ]);
  });

  it('a program that COPY starts at the server stands in the text that starts it', async () => {
    const { session, client, ran } = await begin();
    const texts = ['create temp table t (line text)', "copy t from program 'echo out'", "copy t to program 'cat >&2'"];
    for (const text of texts) {
      client.send(say.query(text));
      expect(await client.ready()).toBe('CZ');
    }
    const { statements } = await session.record();
    expect(statements.map(({ text, outcome }) => [text, outcome?.tag])).toEqual([
      [texts[0], 'CREATE TABLE'],
      [texts[1], 'COPY 1'],
      [texts[2], 'COPY 1'],
    ]);
    expect(ran()).toEqual(texts);
  });
});
