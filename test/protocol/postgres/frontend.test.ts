import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { frontend } from '../../../src/protocol/postgres/frontend.ts';
import {
  encodeMessage,
  encodeParameterStatus,
  encodeReadyForQuery,
  frontendType,
} from '../../../src/protocol/postgres/messages.ts';
import type { Admission } from '../../../src/protocol/protocol.ts';
import type { Duplex } from '../../../src/shared/duplex.ts';
import { hasProgram } from '../../support/programs.ts';
import { run } from '../../support/run.ts';
import { dialTcp, listen, type Listening } from '../../support/tcp.ts';
import { readAll } from '../../support/tunnel.ts';

const credential = { user: 'hoop', password: 'a local secret', database: 'orders' };
const greeting = Buffer.concat([encodeParameterStatus('server_version', '15.0'), encodeReadyForQuery('I')]);
const cancelKey = Buffer.from('pid!key!');

/** What the login came to, in order. */
const admissions: Admission[] = [];
let port: Listening;
beforeAll(async () => {
  port = await listen(async (duplex) => {
    const admission = await frontend.admit(duplex, { credential, randomBytes, messageBytesMax: 1024 });
    if (admission.kind === 'admitted') {
      await duplex.write(admission.greet(greeting, cancelKey));
      await answerOneQuery(duplex);
    }
    admissions.push(admission);
  });
});
afterAll(() => port.close());

/** An empty answer to whatever is asked first. */
async function answerOneQuery(duplex: Duplex): Promise<void> {
  await duplex.read();
  await duplex.write(Buffer.concat([Buffer.from('C\0\0\0\x0dSELECT 0\0'), encodeReadyForQuery('I')]));
  await duplex.read();
}

const lastAdmission = async () => {
  await expect.poll(() => admissions.length).toBeGreaterThan(0);
  return admissions.splice(0).at(-1);
};

const psqlThere = hasProgram('psql');
const psql = (options: { user?: string; password?: string; database?: string; sslmode?: string } = {}) =>
  run('psql', ['-X', '-w', '-h', '127.0.0.1', '-c', 'select'], {
    env: {
      PGPORT: String(port.port),
      PGUSER: options.user ?? credential.user,
      PGPASSWORD: options.password ?? credential.password,
      PGDATABASE: options.database ?? credential.database,
      PGSSLMODE: options.sslmode ?? 'prefer',
      PGTZ: 'UTC',
    },
  });

test.runIf(psqlThere)('psql logs in with the credential, and its settings are told', async () => {
  const { code, stderr } = await psql();
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(await lastAdmission()).toMatchObject({
    kind: 'admitted',
    startup: { parameters: { application_name: 'psql', timezone: 'UTC' } },
    cancelKeyBytes: 8,
    clientVersion: '3.0',
  });
});

test.runIf(psqlThere)('psql that wants TLS learns that there is none here', async () => {
  expect((await psql({ sslmode: 'require' })).stderr).toContain('server does not support SSL');
  expect(await lastAdmission()).toEqual({ kind: 'gone' });
});

test.runIf(psqlThere).each([
  [{ password: 'wrong' }, 'wrong-password', 'use the credential that hoop connect printed'],
  [{ user: 'postgres' }, 'wrong-user', 'this port is for the user "hoop"'],
  [{ user: 'postgres', password: 'wrong' }, 'wrong-user', 'this port is for the user "hoop"'],
  [{ database: 'postgres' }, 'wrong-database', 'this session reaches the database "orders"'],
  [{ database: 'postgres', password: 'wrong' }, 'wrong-password', 'use the credential that hoop connect printed'],
])('psql with %j is refused with a sentence', async (options, reason, sentence) => {
  const { code, stderr } = await psql(options);
  expect(code).toBe(2);
  expect(stderr).toContain(sentence);
  expect(stderr).not.toContain(credential.password);
  expect(await lastAdmission()).toMatchObject({ kind: 'refused', reason, message: expect.stringContaining(sentence) });
});

test('the pg driver logs in and gets our cancel key', async () => {
  const client = new pg.Client({ host: '127.0.0.1', port: port.port, ...credential });
  await client.connect();
  expect(client).toMatchObject({
    processID: cancelKey.readInt32BE(0),
    secretKey: cancelKey.readInt32BE(4),
  });
  await client.query('select');
  await client.end();
  expect(await lastAdmission()).toMatchObject({ kind: 'admitted' });
});

test('the pg driver with a wrong password gets SQLSTATE 28P01', async () => {
  const client = new pg.Client({ host: '127.0.0.1', port: port.port, ...credential, password: 'wrong' });
  await expect(client.connect()).rejects.toMatchObject({ code: '28P01' });
  expect(await lastAdmission()).toMatchObject({ kind: 'refused' });
});

// ── bytes that no driver sends ──────────────────────────────────────────────

function packet(code: number, rest: string = ''): Buffer {
  const bytes = Buffer.alloc(8 + rest.length);
  bytes.writeUInt32BE(bytes.length);
  bytes.writeUInt32BE(code, 4);
  bytes.write(rest, 8, 'latin1');
  return bytes;
}
const sslRequest = packet(80_877_103);
const gssRequest = packet(80_877_104);
const startup = (version: number, extra = '') => packet(version, `user\0hoop\0database\0orders\0${extra}\0`);
const saslResponse = (mechanism: string, length: number, first: string) => {
  const size = Buffer.alloc(4);
  size.writeInt32BE(length);
  return encodeMessage(frontendType.password, Buffer.from(`${mechanism}\0`), size, Buffer.from(first));
};
const goodFirst = 'n,,n=,r=abcdefgh';

/** Sends the parts, each after an answer to the one before it, and gives everything that came back. */
async function converse(...parts: Uint8Array[]): Promise<{ said: string; admission: Admission | undefined }> {
  const duplex = await dialTcp(port.port);
  const said: Uint8Array[] = [];
  for (const [index, part] of parts.entries()) {
    await duplex.write(part);
    if (index < parts.length - 1) said.push((await duplex.read()) ?? Buffer.from('<end>'));
  }
  duplex.end();
  said.push(await readAll(duplex));
  return { said: Buffer.concat(said).toString('latin1'), admission: await lastAdmission() };
}

test('encryption requests are each answered N, once', async () => {
  const { said, admission } = await converse(gssRequest, sslRequest, startup(0x30000), Buffer.alloc(0));
  expect(said.slice(0, 3)).toBe('NNR');
  expect(admission).toEqual({ kind: 'gone' });
});

test.each([
  ['the same encryption request twice', [sslRequest, sslRequest], 'bad-startup'],
  ['bytes behind an encryption request', [Buffer.concat([sslRequest, startup(0x30000)])], 'bytes-behind-request'],
  ['half a startup packet', [startup(0x30000).subarray(0, 20)], 'truncated'],
  ['an endless startup packet', [Buffer.from([0, 1, 0, 0, 0, 3, 0, 0])], 'bad-startup'],
  ['a query in the place of the password', [startup(0x30000), encodeMessage(frontendType.query)], 'unknown-message'],
  ['a second startup packet', [startup(0x30000), startup(0x30000)], 'unknown-message'],
  ['a mechanism that was not offered', [startup(0x30000), saslResponse('SCRAM-SHA-256-PLUS', 16, goodFirst)], 'scram'],
  ['no mechanism', [startup(0x30000), encodeMessage(frontendType.password)], 'bad-message'],
  ['a mechanism and nothing more', [startup(0x30000), saslResponse('SCRAM-SHA-256', -1, '')], 'bad-message'],
  ['a length past the end', [startup(0x30000), saslResponse('SCRAM-SHA-256', 99, goodFirst)], 'bad-message'],
  ['surplus bytes', [startup(0x30000), saslResponse('SCRAM-SHA-256', 3, goodFirst)], 'surplus-bytes'],
  ['no SCRAM at all', [startup(0x30000), saslResponse('SCRAM-SHA-256', 5, 'hello')], 'scram'],
  [
    'a last message that is none',
    [
      startup(0x30000),
      saslResponse('SCRAM-SHA-256', goodFirst.length, goodFirst),
      encodeMessage(frontendType.password),
    ],
    'scram',
  ],
  ['an endless password', [startup(0x30000), Buffer.from('p\x7f\xff\xff\xff', 'latin1')], 'bad-length'],
])('%s is refused, and nothing is thrown', async (_, parts, reason) => {
  const { said, admission } = await converse(...parts);
  expect(admission).toMatchObject({ kind: 'refused', reason });
  expect(said).toMatch(/E[\s\S]{4}SFATAL\0/);
});

test('a browser is told what this port is', async () => {
  const { said, admission } = await converse(Buffer.from('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n'));
  expect(said).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*This is a PostgreSQL port of hoop/);
  expect(admission).toMatchObject({ kind: 'refused', reason: 'http' });
});

test('TLS at once is closed, and recorded as what it was', async () => {
  const { said, admission } = await converse(Buffer.from([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0]));
  expect(said).toBe('');
  expect(admission).toMatchObject({ kind: 'refused', reason: 'direct-tls' });
});

test('a port probe leaves no refusal', async () => {
  expect((await converse()).admission).toEqual({ kind: 'gone' });
});

test('a cancel request is handed over with its key', async () => {
  const { said, admission } = await converse(packet(80_877_102, 'pid!key!'));
  expect(said).toBe('');
  expect(admission).toMatchObject({ kind: 'cancel' });
  expect(admission?.kind === 'cancel' && Buffer.from(admission.key).toString()).toBe('pid!key!');
});

test.each([
  ['3.0', 0x30000],
  ['3.2', 0x30002],
])('protocol %s is spoken', async (_, version) => {
  expect((await converse(startup(version), Buffer.alloc(0))).said[0]).toBe('R');
});

/** NegotiateProtocolVersion: the version spoken, how many extensions are not, and their names. */
test.each([
  ['3.1', 0x30001, '', [0x30000, 0], ''],
  ['3.9999', 0x30000 + 9999, '', [0x30002, 0], ''],
  ['3.0 with an extension', 0x30000, '_pq_.zip\0on\0', [0x30000, 1], '_pq_.zip\0'],
])('protocol %s is negotiated', async (_, version, extra, numbers, names) => {
  const bytes = Buffer.from((await converse(startup(version, extra), Buffer.alloc(0))).said, 'latin1');
  expect(bytes.toString('latin1', 0, 1)).toBe('v');
  expect([bytes.readInt32BE(5), bytes.readInt32BE(9)]).toEqual(numbers);
  expect(bytes.toString('latin1', 13)).toMatch(new RegExp(`^${names}R`));
});

test.runIf(psqlThere)('refuse answers what must be answered, then says why', async () => {
  const away = await listen((duplex) => frontend.refuse(duplex, 'HOOP_SIGN_IN', 'sign in again with hoop login'));
  const { stderr } = await run('psql', ['-X', '-h', '127.0.0.1', '-p', String(away.port), '-c', 'select'], {
    env: { PGUSER: 'hoop', PGPASSWORD: 'x' },
  });
  expect(stderr).toContain('FATAL:  sign in again with hoop login');
  const probe = await dialTcp(away.port);
  await probe.write(Buffer.from('nonsense'));
  expect(await readAll(probe)).toHaveLength(0);
  await away.close();
});
