import { expect, test } from 'vitest';
import { dial } from '../../../src/agent/transport.ts';
import { backend } from '../../../src/protocol/postgres/backend.ts';
import {
  encodeErrorResponse,
  encodeMessage,
  encodeReadyForQuery,
  backendType,
  int32,
} from '../../../src/protocol/postgres/messages.ts';
import type { TlsMode } from '../../../src/protocol/protocol.ts';
import { listen } from '../../support/tcp.ts';
import { readAll } from '../../support/tunnel.ts';

/** A server that reads one chunk before each thing that it says, then ends. */
async function meet(script: (Uint8Array | string)[], tlsMode: TlsMode = 'disable'): Promise<unknown> {
  const heard: Buffer[] = [];
  const server = await listen(async (duplex) => {
    for (const line of script) {
      heard.push(Buffer.from((await duplex.read()) ?? []));
      await duplex.write(typeof line === 'string' ? Buffer.from(line, 'latin1') : line);
    }
    duplex.end();
    heard.push(await readAll(duplex));
  });
  const outcome = await backend
    .connect({
      dial: () =>
        dial({
          address: `127.0.0.1:${server.port}`,
          tls: { mode: tlsMode },
        }),
      tlsMode,
      credentials: { user: 'app', password: 'a resource secret', database: 'orders' },
      startup: { parameters: {} },
      label: 'hoop',
      randomBytes: (size) => Buffer.alloc(size, 7),
    })
    .then(
      (ready) => {
        ready.resource.reset('done');
        return ready;
      },
      (error: unknown) => error,
    );
  await server.close();
  expect(Buffer.concat(heard).includes('a resource secret')).toBe(false);
  return outcome;
}

const authentication = (kind: number, rest = '') =>
  encodeMessage(backendType.authentication, int32(kind), Buffer.from(rest));
const ok = authentication(0);
const sasl = authentication(10, 'SCRAM-SHA-256\0\0');
const nonce = Buffer.alloc(18, 7).toString('base64');
const notice = encodeMessage(backendType.noticeResponse, Buffer.from('SNOTICE\0MHello\0\0'));

test.each<[string, (Uint8Array | string)[], string]>([
  ['says nothing', [], 'closed the connection during the login'],
  ['is a web server', ['HTTP/1.1 400 Bad Request\r\n\r\n'], 'a login message of length'],
  ['closes inside a message', ['R\0\0\0\x08\0'], 'the connection ended inside the login'],
  ['announces two gigabytes', ['R\x7f\xff\xff\xff'], 'a login message of length'],
  ['announces a length below its own', ['R\0\0\0\x03'], 'a login message of length 3'],
  ['asks for nothing', [encodeMessage(backendType.authentication)], 'points past the end'],
  ['asks for Kerberos', [authentication(7)], 'authentication (7) that hoop does not speak'],
  ['asks for the password in clear text', [authentication(3)], 'in clear text outside TLS'],
  ['asks for md5 without a salt', [authentication(5)], 'points past the end'],
  ['asks twice', [authentication(5, 'salt'), authentication(5, 'tlas')], 'asks for a password again'],
  ['offers unknown mechanisms', [authentication(10, 'PLAIN\0OAUTHBEARER\0\0')], 'offers no SASL mechanism'],
  ['skips the first SCRAM message', [sasl, authentication(12, 'v=AAAA')], 'out of order'],
  ['lets us in without a proof of its own', [sasl, ok], 'out of order'],
  ['has a nonce of its own', [sasl, authentication(11, 'r=other,s=AAAA,i=4096')], 'does not continue ours'],
  ['wants one iteration', [sasl, authentication(11, `r=${nonce}x,s=AAAA,i=1`)], '4096 to 1000000'],
  ['wants a billion', [sasl, authentication(11, `r=${nonce}x,s=AAAA,i=999999999`)], '4096 to 1000000'],
  [
    'does not know the password',
    [sasl, authentication(11, `r=${nonce}x,s=AAAA,i=4096`), authentication(12, 'v=AAAA')],
    'could not prove that it knows the password',
  ],
  ['answers before it lets us in', [encodeReadyForQuery('I')], 'where an authentication belongs'],
  ['refuses without SQLSTATE or reason', ['E\0\0\0\x05\0'], 'no reason given (SQLSTATE unknown)'],
  ['refuses without an end', ['E\0\0\0\x06Mx'], 'a string without its end'],
  [
    'refuses after the login',
    [Buffer.concat([ok, encodeErrorResponse({ severity: 'FATAL', code: '53300', message: 'too many clients' })])],
    'too many clients (SQLSTATE 53300)',
  ],
  ['sends rows before it is ready', [Buffer.concat([ok, encodeMessage(backendType.dataRow)])], 'the greeting belongs'],
  ['hands out an empty cancel key', [Buffer.concat([ok, encodeMessage(backendType.backendKeyData)])], 'cancel key'],
  ['reports half a parameter', [Buffer.concat([ok, encodeMessage(backendType.parameterStatus)])], 'without its end'],
  [
    'chatters for ever',
    [Buffer.concat([ok, ...Array.from({ length: 60_000 }, () => notice)])],
    'more than 1048576 bytes of login',
  ],
])('a server that %s is turned down with a sentence', async (_, script, message) => {
  expect(await meet(script)).toMatchObject({
    code: 'HOOP_RESOURCE_UNREACHABLE',
    message: expect.stringContaining(message),
    next: expect.any(String),
  });
});

test.each<[TlsMode, string, string]>([
  ['require', 'N', 'has no TLS, and tls.mode is require'],
  ['prefer', 'Nx', 'with one byte'],
  ['require', 'SR\0\0\0\x08\0\0\0\0', 'with one byte'],
  ['prefer', 'E', 'neither S nor N'],
  ['require', '', 'with one byte'],
])('with tls.mode %s the answer %j goes no further', async (mode, answer, message) => {
  expect(await meet(answer === '' ? [] : [answer], mode)).toMatchObject({ message: expect.stringContaining(message) });
});

test('prefer goes on without TLS where there is none', async () => {
  const ready = Buffer.concat([ok, notice, encodeReadyForQuery('I')]);
  expect(await meet(['N', ready], 'prefer')).toMatchObject({ leftover: Buffer.alloc(0) });
});

test('bytes behind the greeting are kept, and without a key a cancel does nothing', async () => {
  const outcome = await meet([Buffer.concat([ok, encodeReadyForQuery('I'), Buffer.from('A\0\0\0')])]);
  expect(outcome).toMatchObject({ leftover: Buffer.from('A\0\0\0') });
  await (outcome as { cancel(): Promise<void> }).cancel();
});
