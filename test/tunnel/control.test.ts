import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { StreamReset, type Duplex } from '../../src/shared/duplex.ts';
import { UserError } from '../../src/shared/errors.ts';
import { controlRefusedSchema } from '../../src/shared/handshake.ts';
import { limits } from '../../src/shared/limits.ts';
import { checkVersion, prefixed, readControl, refuseControl, writeControl } from '../../src/tunnel/control.ts';
import { muxPair } from '../support/mux-pair.ts';
import { readAll } from '../support/tunnel.ts';

const schema = z.object({ kind: z.literal('hello'), name: z.string().default('nobody') });

async function streamPair(): Promise<[Duplex, Duplex]> {
  const [client, server] = muxPair();
  const near = client.mux.open();
  await new Promise((resolve) => setImmediate(resolve));
  return [near, server.streams[0]!];
}

describe('control messages', () => {
  test('what comes behind the message is the stream’s', async () => {
    const [near, far] = await streamPair();
    void writeControl(near, { kind: 'hello', name: 'ada' });
    void near.write(Buffer.from('SELECT 1'));
    near.end();
    const { value, rest } = await readControl(far, schema);
    expect(value).toEqual({ kind: 'hello', name: 'ada' });
    expect((await readAll(rest)).toString()).toBe('SELECT 1');
  });

  test('a message that comes byte by byte, and the next one in the same piece', async () => {
    const [near, far] = await streamPair();
    const json = Buffer.from('{"kind":"hello","name":"ärger"}');
    const bytes = Buffer.concat([Buffer.from([0, 0, 0, json.length]), json]);
    void (async () => {
      for (const byte of bytes) {
        await near.write(Buffer.from([byte]));
        await new Promise((resolve) => setImmediate(resolve));
      }
      await near.write(Buffer.concat([bytes, bytes, Buffer.from('tail')]));
    })();
    const first = await readControl(far, schema);
    const second = await readControl(first.rest, schema);
    const third = await readControl(second.rest, schema);
    expect([first, second, third].map(({ value }) => value.name)).toEqual(['ärger', 'ärger', 'ärger']);
    expect(Buffer.from((await third.rest.read())!).toString()).toBe('tail');
  });

  test.each<[string, Buffer, RegExp]>([
    ['a length over the bound', Buffer.from([0xff, 0xff, 0xff, 0xff]), /4294967295 bytes/],
    ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\n\r\n'), /1195725856 bytes/],
    ['no JSON', Buffer.from([0, 0, 0, 2, 0x7b, 0x7b]), /not JSON/],
    ['invalid UTF-8', Buffer.from([0, 0, 0, 3, 0x22, 0xff, 0x22]), /not JSON/],
    ['an empty message', Buffer.from([0, 0, 0, 0]), /not JSON/],
    ['another shape', Buffer.concat([Buffer.from([0, 0, 0, 12]), Buffer.from('{"kind":"x"}')]), /kind/],
    ['an end within', Buffer.from([0, 0, 0, 9, 0x7b]), /ended within/],
  ])('%s is refused', async (_, bytes, why) => {
    const [near, far] = await streamPair();
    await near.write(bytes);
    near.end();
    const error = await readControl(far, schema).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UserError);
    expect(error).toMatchObject({ code: 'HOOP_PROTOCOL', message: expect.stringMatching(why) });
  });

  test('a message that does not come in time resets the stream', async () => {
    const [near, far] = await streamPair();
    await expect(readControl(far, schema, { millisMax: 20 })).rejects.toMatchObject({ code: 'HOOP_LIMIT' });
    await expect(near.read()).rejects.toThrow(StreamReset);
  });

  test('a message over the bound is not sent', async () => {
    const [near] = await streamPair();
    const huge = { kind: 'hello', name: 'x'.repeat(limits.controlBytesMax) };
    await expect(writeControl(near, huge)).rejects.toMatchObject({ code: 'HOOP_LIMIT' });
  });

  test('a refusal carries code, message and next step, and a refusal to nobody is quiet', async () => {
    const [near, far] = await streamPair();
    await refuseControl(far, new UserError('HOOP_AGENT_OFFLINE', 'no agent', { next: 'start it' }));
    const { value, rest } = await readControl(near, controlRefusedSchema);
    expect(value).toEqual({ kind: 'refused', code: 'HOOP_AGENT_OFFLINE', message: 'no agent', next: 'start it' });
    expect(await rest.read()).toBeNull();
    rest.reset('seen');
    await refuseControl(near, new UserError('HOOP_DENIED', 'gone'));
  });

  test('a stream with bytes in front of it: the wrappers of many messages do not pile up', async () => {
    const [near, far] = await streamPair();
    let stream = far;
    for (let count = 0; count < 100_000; count++) {
      stream = prefixed(Buffer.from('x'), stream);
      await stream.read();
    }
    await near.write(Buffer.from('still here'));
    expect(Buffer.from((await stream.read())!).toString()).toBe('still here');
  });
});

describe('versions of both sides', () => {
  const names = { theirs: 'client', ours: 'gateway' };
  test.each([
    [1, 0, 1, 0],
    [1, 1, 1, 0],
    [1, 4, 1, 5],
  ])('%i.%i and %i.%i work together', (major, minor, ourMajor, ourMinor) => {
    expect(() => checkVersion({ major, minor }, { major: ourMajor, minor: ourMinor }, names)).not.toThrow();
  });

  test.each([
    [1, 0, 1, 2, 'client'],
    [1, 2, 1, 0, 'gateway'],
    [2, 0, 1, 9, 'gateway'],
    [1, 9, 2, 0, 'client'],
  ])('%i.%i and %i.%i do not: the %s is to be upgraded', (major, minor, ourMajor, ourMinor, older) => {
    const check = () => checkVersion({ major, minor }, { major: ourMajor, minor: ourMinor }, names);
    expect(check).toThrow(expect.objectContaining({ code: 'HOOP_VERSION_SKEW', next: expect.stringContaining(older) }));
  });
});
