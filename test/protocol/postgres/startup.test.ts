import { expect, test } from 'vitest';
import {
  encodeCancelRequest,
  encodeSslRequest,
  encodeStartup,
  parseStartupPacket,
  startupLength,
} from '../../../src/protocol/postgres/startup.ts';

/** A packet with its length, from a code and the rest. */
function packet(code: number, rest: Uint8Array | string = ''): Buffer {
  const tail = Buffer.from(rest);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(8 + tail.length);
  head.writeUInt32BE(code, 4);
  return Buffer.concat([head, tail]);
}
const startup = (pairs: string[], version = 0x30000) =>
  packet(version, `${pairs.map((word) => `${word}\0`).join('')}\0`);
const hoop = (...pairs: string[]) => startup(['user', 'hoop', 'database', 'orders', ...pairs]);

test('user, database and settings are read apart; names of settings know no case', () => {
  expect(parseStartupPacket(hoop('application_name', 'psql', 'DateStyle', 'ISO'))).toEqual({
    kind: 'startup',
    version: 0x30000,
    user: 'hoop',
    database: 'orders',
    parameters: { application_name: 'psql', datestyle: 'ISO' },
    extensions: [],
  });
});

test.each([[['user', 'hoop']], [['user', 'hoop', 'database', '']]])('without a database it is the user’s', (pairs) => {
  expect(parseStartupPacket(startup(pairs))).toMatchObject({ database: 'hoop' });
});

/** As the programs themselves send it. */
test.each([
  [
    'libpq',
    ['application_name', 'psql', 'client_encoding', 'UTF8', 'datestyle', 'ISO', 'timezone', 'UTC', 'geqo', 'on'],
  ],
  ['JDBC', ['client_encoding', 'UTF8', 'DateStyle', 'ISO', 'TimeZone', 'Europe/Oslo', 'extra_float_digits', '2']],
  ['Npgsql', ['client_encoding', 'UTF8', 'search_path', 'app', 'TimeZone', 'UTC']],
  ['asyncpg', ['client_encoding', "'utf-8'", 'jit', 'off']],
  ['pgx', ['application_name', 'x', 'statement_timeout', '5000', 'search_path', 'app']],
])('%s gets in with what it sends', (_, pairs) => {
  const parsed = parseStartupPacket(hoop(...pairs));
  expect(parsed.kind === 'startup' && Object.keys(parsed.parameters)).toHaveLength(pairs.length / 2);
});

test.each([
  ['-c statement_timeout=5s', { statement_timeout: '5s' }],
  ['-cstatement_timeout=5s  --search-path=a,b', { statement_timeout: '5s', search_path: 'a,b' }],
  [String.raw`-c search_path=a\ b\\c`, { search_path: String.raw`a b\c` }],
  ['-c DateStyle=ISO,\\ MDY', { datestyle: 'ISO, MDY' }],
])('options %j become settings of their own', (options, parameters) => {
  expect(parseStartupPacket(hoop('options', options))).toMatchObject({ parameters });
});

test('a setting wins over the same one inside options, as at the server', () => {
  const parsed = parseStartupPacket(hoop('search_path', 'outer', 'options', '-c search_path=inner'));
  expect(parsed).toMatchObject({ parameters: { search_path: 'outer' } });
});

test.each([
  ['a setting outside the list', hoop('session_preload_libraries', 'evil'), 'session_preload_libraries'],
  ['one hidden in options', hoop('options', '-c role=postgres'), 'the setting role'],
  ['an option that is no setting', hoop('options', '-W 30'), 'the start-up option -W'],
  ['-c with nothing behind it', hoop('options', '-c'), 'the start-up option -c'],
  ['a user twice', hoop('user', 'postgres'), 'user comes twice'],
  ['a user twice in another case', hoop('USER', 'postgres'), 'user comes twice'],
  ['no user', startup(['database', 'orders']), 'names no user'],
  ['an empty user', startup(['user', '']), 'names no user'],
  ['replication', hoop('replication', 'database'), 'replication connections are not recorded'],
  ['a name without its value', packet(0x30000, 'user\0hoop\0database\0'), 'a string without its end'],
  ['bytes behind its end', packet(0x30000, 'user\0hoop\0\0x'), 'bytes after the end'],
  ['no end', packet(0x30000, 'user\0hoop\0'), 'a string without its end'],
  ['what is not UTF-8', packet(0x30000, Buffer.from('user\0\xff\0\0', 'latin1')), 'not UTF-8'],
  ['protocol 2.0', packet(0x20000), 'protocol 2.0 is not spoken'],
  ['protocol 4.0', packet(0x40000), 'protocol 4.0 is not spoken'],
  ['an SSLRequest with a tail', packet(80_877_103, 'x'), 'bytes after the end'],
  ['a cancel key of four bytes', packet(80_877_102, 'abcd'), 'impossible length'],
  ['an endless cancel key', packet(80_877_102, 'x'.repeat(261)), 'impossible length'],
])('a startup packet with %s is refused', (_, bytes, message) => {
  expect(() => parseStartupPacket(bytes)).toThrow(message);
});

test('replication that is switched off is none', () => {
  expect(parseStartupPacket(hoop('replication', 'false'))).toMatchObject({ kind: 'startup', parameters: {} });
});

test.each([0, 4, 7, 10_001, 2 ** 31, 2 ** 32 - 1])('a packet of length %d is refused before it is read', (length) => {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(length);
  expect(() => startupLength(header)).toThrow('8 to 10000 are accepted');
});

test('what the agent sends reads back', () => {
  expect(parseStartupPacket(Buffer.from(encodeSslRequest()))).toEqual({ kind: 'ssl' });
  const key = Buffer.from('12345678');
  expect(parseStartupPacket(Buffer.from(encodeCancelRequest(key)))).toEqual({ kind: 'cancel', key });
  const sent = encodeStartup({ timezone: 'UTC', user: 'app', database: 'orders' });
  expect(parseStartupPacket(sent)).toMatchObject({ user: 'app', database: 'orders', parameters: { timezone: 'UTC' } });
});

test.each([
  [{ user: 'app', database: 'orders\0replication\0true' }],
  [{ 'user\0': 'x' }],
  [{ '': 'x' }],
  [{ replication: 'true' }],
])('the agent cannot be made to send another parameter than was meant: %j', (parameters) => {
  expect(() => encodeStartup(parameters as Record<string, string>)).toThrow('may not be sent');
});

test('extensions of the protocol are named, not obeyed', () => {
  expect(parseStartupPacket(hoop('_pq_.command_compression', 'on'))).toMatchObject({
    extensions: ['_pq_.command_compression'],
    parameters: {},
  });
});
