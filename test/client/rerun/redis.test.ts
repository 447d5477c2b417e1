import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { SignedIn } from '../../support/identity-gateway.ts';
import { apiOf } from '../../support/recording-of.ts';
import { startRedis, type RedisServer } from '../../support/redis.ts';
import { differences, rerunOn, type Ran } from '../../support/rerun.ts';
import { startStack, type Connected, type Stack } from '../../support/stack.ts';
import { until } from '../../support/until.ts';

let server: RedisServer;
let target: RedisServer;
let stack: Stack;
let alice: SignedIn;
let connected: Connected;

beforeAll(async () => {
  [server, target] = await Promise.all([startRedis(), startRedis()]);
  stack = await startStack({ postgres: { ...server, database: '0' }, resource: { protocol: 'redis' } });
  await stack.addUser('alice');
  alice = await stack.signIn('alice');
}, 60_000);
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await server?.stop();
  await target?.stop();
});
const direct = ({ port, adminPassword }: RedisServer) => new Redis({ port, password: adminPassword });
beforeEach(async () => {
  for (const one of [server, target]) {
    const admin = direct(one);
    await admin.flushall();
    await admin.set('start', '1');
    await admin.quit();
  }
  connected = await stack.connect(alice);
});

const viaHoop = async (): Promise<Redis> => {
  const client = new Redis(connected.environment['REDIS_URL']!, { lazyConnect: true });
  await client.connect();
  return client;
};
const again = async (): Promise<Ran> => {
  await connected.idle();
  await connected.close();
  const dsn = `redis://${target.user}:${target.password}@127.0.0.1:${target.port}/0`;
  return rerunOn(apiOf(stack.gateway, alice), connected.session, dsn);
};
/** What drivers ask when they connect has the server's own numbers in it. */
const ownDifferences = (ran: Ran) => differences(ran).filter(([text]) => !/^(INFO|HELLO|CLIENT)/i.test(text ?? ''));

describe('a recorded Redis session run again', () => {
  test('commands, a pipeline, a transaction and a script do the same', async () => {
    const client = await viaHoop();
    await client.set('user:1', Buffer.from([0, 13, 10, 255]));
    await client.incr('user:1').catch(() => undefined);
    await client.pipeline().rpush('list', 'a', 'b').lrange('list', 0, -1).exec();
    await client.multi().set('x', '1').incr('x').incr('start').exec();
    client.defineCommand('double', { numberOfKeys: 1, lua: "return redis.call('incrby', KEYS[1], 2)" });
    const double = (client as unknown as { double(key: string): Promise<number> }).double.bind(client);
    await double('x');
    await double('x');
    await client.quit();
    const ran = await again();
    expect(ran.end.reason).toBe('done');
    expect(ownDifferences(ran).filter(([, result]) => result !== 'not-run: refused')).toEqual([]);
    const check = direct(target);
    expect(await check.mget('x', 'start')).toEqual(['6', '2']);
    expect(await check.getBuffer('user:1')).toEqual(Buffer.from([0, 13, 10, 255]));
    await check.quit();
  });

  test('RESP3, and one connection that waits for another', async () => {
    const client = createClient({ url: connected.environment['REDIS_URL']!, RESP: 3 });
    const other = await viaHoop();
    await client.connect();
    await client.hSet('h', { a: '1', b: '2' });
    await client.hGetAll('h');
    const popped = client.blPop('queue', 0);
    await until(async () => {
      const admin = direct(server);
      const waits = /blocked_clients:1/.test(await admin.info('clients'));
      await admin.quit();
      return waits;
    });
    await other.rpush('queue', 'job');
    expect(await popped).toEqual({ key: 'queue', element: 'job' });
    await other.llen('queue');
    await Promise.all([client.close(), other.quit()]);
    const ran = await again();
    expect(ran.end).toMatchObject({ reason: 'done', outOfOrder: [] });
    expect(ownDifferences(ran)).toEqual([]);
  });

  test('what is other there is different', async () => {
    const client = await viaHoop();
    await client.get('start');
    await client.incr('start');
    await client.quit();
    const admin = direct(target);
    await admin.set('start', 'no number');
    await admin.quit();
    expect(ownDifferences(await again()).map(([, result]) => result)).toEqual(['different-rows', 'different-error']);
  });
});
