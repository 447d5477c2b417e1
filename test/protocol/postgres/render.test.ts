import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { renderParameter } from '../../../src/protocol/postgres/render.ts';
import type { PostgresServer } from '../../../src/demo/postgres.ts';
import { postgresServers } from '../../support/postgres.ts';

/** A type, its OID, and values as SQL. */
const values: [type: string, oid: number, sql: string[]][] = [
  ['bool', 16, ['true', 'false']],
  ['bytea', 17, [String.raw`'\x00ff27'`, "''"]],
  ['int2', 21, ['-32768', '0', '32767']],
  ['int4', 23, ['-2147483648', '7']],
  ['int8', 20, ['-9223372036854775808', '9007199254740993']],
  ['oid', 26, ['4294967295']],
  ['float4', 700, ['0.1', '1.17549435e-38', '3.4028235e38', "'-0'", "'NaN'", "'-Infinity'", '16777216']],
  ['float8', 701, ['0.1', '1e300', "'-0'", "'Infinity'", '5e-324', '123456789.125']],
  ['numeric', 1700, ['0', '-0.00001234', '123456789012345678901234567890.5', '1e50', "'NaN'", '10000.10', '0.10']],
  ['text', 25, ["'it''s'", "''", "'äöü 🔑'", String.raw`'a\b'`]],
  ['varchar', 1043, ["'x'"]],
  ['bpchar', 1042, ["'ab  '"]],
  ['name', 19, ["'orders'"]],
  ['json', 114, [`'{"a": "it''s"}'`]],
  ['jsonb', 3802, [`'{"a": [1, null]}'`]],
  ['uuid', 2950, ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"]],
  ['date', 1082, ["'1999-12-31'", "'2024-02-29'", "'infinity'", "'-infinity'", "'0001-01-01'", "'9999-12-31'"]],
  ['timestamp', 1114, ["'1969-07-20 20:17:40.123456'", "'2024-02-29 23:59:59.999'", "'infinity'", "'-infinity'"]],
  ['timestamptz', 1184, ["'1999-12-31 23:59:59.999999+02'", "'2038-01-19 03:14:08Z'"]],
  ['int4[]', 1007, ["'{}'", "'{1,NULL,-3}'", "'{{1,2},{3,4}}'"]],
  ['text[]', 1009, [`array['a', '', 'NULL', null, 'it''s', '{"}', 'a\\b', 'a b', 'a,b']`]],
  ['numeric[]', 1231, ["'{1.50,NaN}'"]],
  ['timestamptz[]', 1185, ["'{2024-01-01 00:00:00.000001Z}'"]],
  ['bytea[]', 1001, [String.raw`array['\x00'::bytea, '\xff']`]],
  ['bool[]', 1000, ["'{t,f}'"]],
  ['uuid[]', 2951, ["'{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'"]],
];
const send: Record<string, string> = {
  bool: 'boolsend',
  bytea: 'byteasend',
  name: 'namesend',
  bpchar: 'bpcharsend',
  text: 'textsend',
  varchar: 'varcharsend',
  int2: 'int2send',
  int4: 'int4send',
  int8: 'int8send',
  oid: 'oidsend',
  float4: 'float4send',
  float8: 'float8send',
};
const sendOf = (type: string) => (type.endsWith('[]') ? 'array_send' : (send[type] ?? `${type}_send`));

describe.each(postgresServers)('$name', ({ start }) => {
  let server: PostgresServer;
  let client: pg.Client;
  beforeAll(async () => {
    server = await start();
    client = new pg.Client({ ...server, host: '127.0.0.1' });
    await client.connect();
    await client.query("set timezone = 'Asia/Kathmandu'");
  });
  afterAll(async () => {
    await client.end();
    await server.stop();
  });

  test.each(values)('%s: what is shown means to the server what was sent', async (type, oid, all) => {
    for (const sql of all) {
      const one = `(${sql})::${type}`;
      const sent = await client.query<{ bytes: Buffer; text: string }>(
        `select ${sendOf(type)}(${one}) as bytes, (${one})::text as text`,
      );
      const { bytes, text } = sent.rows[0]!;
      const shown = renderParameter(oid, 1, bytes);
      if (type !== 'bytea' && type !== 'bytea[]') expect(shown).not.toContain(String.raw`\x`);
      const back = await client.query<{ bytes: Buffer; text: string }>(
        `select ${sendOf(type)}((${shown})::${type}) as bytes, (${renderParameter(oid, 0, Buffer.from(text))})::${type}::text as text`,
      );
      expect([sql, back.rows[0]!.bytes, back.rows[0]!.text]).toEqual([sql, bytes, text]);
    }
  });

  test('what ECMAScript’s calendar does not have is shown as bytes', async () => {
    const { rows } = await client.query<{ bytes: Buffer }>(`select date_send('0044-03-15 BC') as bytes
      union all select date_send('10000-01-01') union all select array_send('[2:3]={1,2}'::int[])`);
    for (const { bytes } of rows) {
      expect(renderParameter(bytes.length === 4 ? 1082 : 1007, 1, bytes)).toBe(
        String.raw`'\x${bytes.toString('hex')}'`,
      );
    }
  });
});

test.each([
  ['a number', 23, '42', '42'],
  ['what is no number though its type is one', 23, '1; drop table t', "'1; drop table t'"],
  ['a text', 0, "it's", "'it''s'"],
])('text format: %s', (_, type, text, shown) => {
  expect(renderParameter(type, 0, Buffer.from(text))).toBe(shown);
});

test('an unknown type is shown as bytes', () => {
  expect(renderParameter(600, 1, Buffer.from([1, 2]))).toBe(String.raw`'\x0102'`);
});

test('any bytes as any type give something that is one SQL literal', () => {
  const oids = values.map(([, oid]) => oid);
  fc.assert(
    fc.property(
      fc.constantFrom(...oids),
      fc.constantFrom(0, 1),
      fc.uint8Array({ maxLength: 64 }),
      (oid, format, bytes) => {
        expect(renderParameter(oid, format, bytes)).toMatch(/^('([^']|'')*'|-?[\d.]+(e[+-]?\d+)?|true|false)$/);
      },
    ),
    { numRuns: 2000 },
  );
});
