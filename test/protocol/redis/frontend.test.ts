import { expect, test } from 'vitest';
import type { Admission } from '../../../src/protocol/protocol.ts';
import { frontend } from '../../../src/protocol/redis/frontend.ts';
import { encodeCommand } from '../../../src/protocol/redis/messages.ts';
import { StreamReset } from '../../../src/shared/duplex.ts';
import { MemoryDuplex } from '../../support/memory-duplex.ts';

const credential = { user: 'hoop', password: 'a local secret', database: '0' };
const context = { credential, randomBytes: (size: number) => new Uint8Array(size), messageBytesMax: 4096 };
const greeting = Buffer.from('%0\r\n');

/** Words of a line; `_` stands for the password. */
const asks = (...lines: string[]): Buffer =>
  Buffer.concat(
    lines.map((line) => encodeCommand(line.split(' ').map((word) => (word === '_' ? credential.password : word)))),
  );

/** What the login came to, and what the client was told, its greeting included. */
async function logIn(...pieces: Uint8Array[]): Promise<{ admission: Admission; told: string }> {
  const client = new MemoryDuplex(pieces);
  const admission = await frontend.admit(client, context);
  if (admission.kind === 'admitted') await client.write(admission.greet(greeting, new Uint8Array(0)));
  return { admission, told: Buffer.concat(client.written).toString() };
}

test.each([
  ['AUTH _', '2', '+OK\r\n'],
  ['AUTH hoop _', '2', '+OK\r\n'],
  ['auth default _', '2', '+OK\r\n'],
  ['HELLO 3 AUTH hoop _', '3', '%0\r\n'],
  ['HELLO 2 AUTH default _', '2', '%0\r\n'],
  ['hello 3 setname me auth hoop _', '3', '%0\r\n'],
])('%s lets a client in, with the answer to what it sent', async (line, protocol, told) => {
  const one = await logIn(asks(line));
  expect(one).toMatchObject({
    told,
    admission: { kind: 'admitted', cancelKeyBytes: 0, clientVersion: `RESP${protocol}` },
  });
  expect(one.admission).toMatchObject({ startup: { parameters: { protocol } } });
  const bytes = Array.from(asks(line), (byte) => Uint8Array.of(byte));
  expect((await logIn(...bytes)).told).toBe(told);
});

test('the client’s own name goes to the agent; what was sent behind the login waits for it', async () => {
  const behind = Buffer.concat([asks('GET k'), asks('GET k').subarray(0, 9)]);
  const { admission } = await logIn(Buffer.concat([asks('HELLO 3 AUTH hoop _ SETNAME worker'), behind]));
  expect(admission).toMatchObject({ startup: { parameters: { 'client-name': 'worker' } }, leftover: behind });
});

test.each(['AUTH wrong', 'AUTH root _', 'AUTH hoop wrong', 'HELLO 3 AUTH hoop wrong', 'HELLO 3 AUTH root _'])(
  '%s is refused, and that is the end',
  async (line) => {
    const { admission, told } = await logIn(asks(line, 'GET k'));
    expect(admission).toMatchObject({ kind: 'refused', reason: 'wrong-password' });
    expect(told).toMatch(/^-WRONGPASS hoop: [^\r]*\r\n$/);
    expect(JSON.stringify([admission, told])).not.toContain(credential.password);
  },
);

test.each([
  ['GET k', /^-NOAUTH /],
  ['HELLO', /^-NOAUTH /],
  ['HELLO 3', /^-NOAUTH /],
  ['HELLO 4 AUTH hoop _', /^-NOPROTO /],
  ['HELLO 3 AUTH hoop', /^-ERR syntax error in HELLO/],
  ['AUTH', /^-ERR wrong number of arguments for 'auth' command/],
  ['AUTH a b c', /^-ERR wrong number/],
])('%s before the login is answered, and the client may still log in', async (line, told) => {
  const one = await logIn(asks(line, 'AUTH _'));
  expect(one.told).toMatch(told);
  expect(one.told.endsWith('\r\n+OK\r\n')).toBe(true);
  expect(one.admission.kind).toBe('admitted');
});

test('a client that leaves, in whatever way, has said nothing', async () => {
  expect(await logIn()).toEqual({ admission: { kind: 'gone' }, told: '' });
  expect(await logIn(asks('QUIT'))).toEqual({ admission: { kind: 'gone' }, told: '+OK\r\n' });
  const reset = new MemoryDuplex([]);
  reset.read = () => Promise.reject(new StreamReset('gone'));
  expect(await frontend.admit(reset, context)).toEqual({ kind: 'gone' });
});

test('bytes that are no login', async () => {
  expect((await logIn(asks('AUTH _').subarray(0, 12))).admission).toMatchObject({ reason: 'truncated' });
  const inline = await logIn(Buffer.from('AUTH secret\r\n'));
  expect(inline).toMatchObject({
    admission: { reason: 'inline-command' },
    told: expect.stringMatching(/^-ERR hoop: /),
  });
  const http = await logIn(Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'));
  expect(http).toMatchObject({
    admission: { reason: 'http' },
    told: expect.stringMatching(/^HTTP\/1\.1 400 .*redis-cli/s),
  });
  const long = await logIn(...Array.from({ length: 20 }, () => asks(`ECHO ${'x'.repeat(4000)}`)));
  expect(long.admission).toMatchObject({ reason: 'login-too-long' });
});

test('a failure that is not the client’s is no refusal', async () => {
  const broken = new MemoryDuplex([]);
  broken.read = () => Promise.reject(new Error('a bug'));
  await expect(frontend.admit(broken, context)).rejects.toThrow('a bug');
});

test('a client that is turned away is told as the answer to what it sends, or not at all', async () => {
  const asking = new MemoryDuplex([asks('AUTH _')]);
  await frontend.refuse(asking, 'HOOP_SESSION_ENDED', 'the session ended');
  expect(Buffer.concat(asking.written).toString()).toBe('-ERR the session ended\r\n');
  const silent = new MemoryDuplex([]);
  await frontend.refuse(silent, 'HOOP_SESSION_ENDED', 'the session ended');
  expect(silent.written).toEqual([]);
  silent.read = () => Promise.reject(new StreamReset('gone'));
  await frontend.refuse(silent, 'HOOP_SESSION_ENDED', 'the session ended');
});
