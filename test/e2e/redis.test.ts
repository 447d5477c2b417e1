import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startRedis, type RedisServer } from '../support/redis.ts';
import { startStack, type Connected, type Stack } from '../support/stack.ts';
import type { SignedIn } from '../support/identity-gateway.ts';

let server: RedisServer;
let stack: Stack;
let alice: SignedIn;
let connected: Connected;

beforeAll(async () => {
  server = await startRedis();
  stack = await startStack({ postgres: { ...server, database: '0' }, resource: { protocol: 'redis' } });
  await stack.addUser('alice');
  alice = await stack.signIn('alice');
});
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await server?.stop();
});
afterEach(() => connected?.close());

/** Ends the session; what its record shows: arguments, status, tag or code. */
async function recorded(): Promise<string[]> {
  const { session } = connected;
  await connected.close();
  const statements = await stack.statements(alice, session);
  return statements.map(({ arguments: words = [], verb, outcome }) => {
    const came = [outcome?.status, outcome?.errorCode ?? outcome?.tag].filter(Boolean).join(' ');
    return `${verb === 'command' ? words.join(' ') : verb} → ${came}`;
  });
}

const url = () => connected.environment['REDIS_URL']!;
/** What drivers say of themselves after the login. */
const isOwn = (line: string) => /^(?!CLIENT SETINFO|INFO|HELLO|CLIENT MAINT)/i.test(line);

test('ioredis: commands, errors, a pipeline, a transaction and a script, in the record in order', async () => {
  connected = await stack.connect(alice);
  const client = new Redis(url(), { lazyConnect: true });
  await client.connect();
  await client.set('user:1', 'Ada');
  expect(await client.get('user:1')).toBe('Ada');
  await expect(client.incr('user:1')).rejects.toThrow('not an integer');
  expect(await client.pipeline().rpush('list', 'a', 'b').lrange('list', 0, -1).exec()).toEqual([
    [null, 2],
    [null, ['a', 'b']],
  ]);
  expect(await client.multi().set('x', '1').incr('x').exec()).toEqual([
    [null, 'OK'],
    [null, 2],
  ]);
  client.defineCommand('double', { numberOfKeys: 1, lua: "return redis.call('get', KEYS[1]) * 2" });
  const double = (client as unknown as { double(key: string): Promise<number> }).double.bind(client);
  expect([await double('x'), await double('x')]).toEqual([4, 4]);
  await client.quit();

  const lines = (await recorded()).filter(isOwn);
  expect(lines.slice(0, 9)).toEqual([
    'set user:1 Ada → ok OK',
    'get user:1 → ok string of 3 bytes',
    'incr user:1 → error ERR',
    'rpush list a b → ok (integer) 2',
    'lrange list 0 -1 → ok array of 2',
    'multi → ok OK',
    'set x 1 → ok OK',
    'incr x → ok (integer) 2',
    'exec → ok array of 2',
  ]);
  expect(lines.slice(9).map((line) => line.replace(/ .* → /, ' → '))).toEqual([
    'eval → ok (integer) 4',
    'evalsha → ok (integer) 4',
    'quit → ok OK',
  ]);
});

test('a script that the server knows from elsewhere has to be shown to this connection first', async () => {
  const direct = new Redis({ port: server.port, username: server.user, password: server.password });
  const sha = String(await direct.script('LOAD', 'return 42'));
  direct.disconnect();
  connected = await stack.connect(alice);
  const client = new Redis(url(), { lazyConnect: true });
  await client.connect();
  expect(await client.script('EXISTS', sha)).toEqual([0]);
  await expect(client.evalsha(sha, 0)).rejects.toThrow(/^NOSCRIPT No matching script/);
  await client.script('LOAD', 'return 42');
  expect(await client.evalsha(sha, 0)).toBe(42);
  await client.quit();
  expect((await recorded()).filter(isOwn).slice(1, 4)).toEqual([
    `evalsha ${sha} 0 → refused NOSCRIPT`,
    'script LOAD return 42 → ok string of 40 bytes',
    `evalsha ${sha} 0 → ok (integer) 42`,
  ]);
});

test.each([2, 3] as const)(
  'node-redis, RESP%i: transactions with WATCH, subscriptions, blocking reads',
  async (RESP) => {
    connected = await stack.connect(alice);
    const client = createClient({ url: url(), RESP });
    await client.connect();
    const second = client.duplicate();
    await second.connect();
    await client.del(['watched', 'queue', 'stream']);

    await client.watch('watched');
    await second.set('watched', 'changed');
    await expect(client.multi().set('watched', 'mine').exec()).rejects.toThrow(/watched|aborted/i);

    const heard: string[] = [];
    const subscriber = client.duplicate(); // its own: in RESP2 this driver does not find back from a subscription
    await subscriber.connect();
    await subscriber.subscribe('news', (message) => heard.push(message));
    await client.publish('news', 'hello');
    await expect.poll(() => heard).toEqual(['hello']);
    await subscriber.unsubscribe('news');
    await subscriber.close();

    const popped = second.blPop('queue', 10);
    expect(await client.ping()).toBe('PONG');
    await client.rPush('queue', 'job');
    expect(await popped).toMatchObject({ element: 'job' });
    const read = second.xRead({ key: 'stream', id: '$' }, { BLOCK: 10_000 });
    expect(await client.ping()).toBe('PONG');
    await client.xAdd('stream', '*', { a: '1' });
    expect(JSON.stringify(await read)).toContain('"a"');
    await client.close();
    await second.close();

    const lines = (await recorded()).filter(isOwn).map((line) => line.replace(/\d{13}-\d/, 'ID'));
    expect(lines).toEqual(
      expect.arrayContaining([
        'WATCH watched → ok OK',
        'SET watched changed → ok OK',
        'SET watched mine → skipped',
        'EXEC → ok (nil)',
        'subscribe news → ok 1 subscribed',
        'PUBLISH news hello → ok (integer) 1',
        'unsubscribe news → ok 0 subscribed',
        'RPUSH queue job → ok (integer) 1',
        'BLPOP queue 10 → ok array of 2',
        `XREAD BLOCK 10000 STREAMS stream $ → ok ${RESP === 3 ? 'map' : 'array'} of 1`,
      ]),
    );
  },
);

test('a value of 5 MiB of any bytes goes there and back, and is whole in the record', async () => {
  connected = await stack.connect(alice);
  const client = new Redis(url(), { lazyConnect: true });
  await client.connect();
  const value = Buffer.from(Array.from({ length: 5 * 1024 * 1024 }, (_, index) => (index * 7) % 256));
  await client.set('large', value);
  expect((await client.getBuffer('large'))?.equals(value)).toBe(true);
  await client.quit();
  const set = (await recorded()).find((line) => line.startsWith('set large'))!;
  expect(set).toContain(`\\x${value.toString('hex')} → ok OK`);
});

test('the server sees the agent’s user, and a name that leads to the record', async () => {
  connected = await stack.connect(alice);
  const client = new Redis(url(), { lazyConnect: true, connectionName: 'worker-7' });
  await client.connect();
  expect(await client.client('INFO')).toContain(' user=app ');
  const hello = createClient({ url: url(), RESP: 3 });
  await hello.connect();
  expect(await hello.sendCommand(['CLIENT', 'GETNAME'])).toBe(`hoop/${connected.session.slice(0, 12)}/alice/cursor`);
  await hello.close();
  await client.quit();
});
