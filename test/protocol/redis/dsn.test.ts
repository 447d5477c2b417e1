import { expect, test } from 'vitest';
import { redis } from '../../../src/protocol/redis/index.ts';

const local = { host: '127.0.0.1', port: 4711, user: 'hoop', password: 'a/b:c@d', database: '2' };

test('an address that drivers take, whatever the password', () => {
  const { dsn, environment, programArguments } = redis.connectInfo(local);
  expect(dsn).toBe('redis://hoop:a%2Fb%3Ac%40d@127.0.0.1:4711/2');
  expect(environment).toEqual({
    REDIS_URL: dsn,
    REDIS_HOST: '127.0.0.1',
    REDIS_PORT: '4711',
    REDIS_USERNAME: 'hoop',
    REDIS_PASSWORD: local.password,
    REDISCLI_AUTH: local.password,
  });
  expect(programArguments!['redis-cli']!.join(' ')).toBe('-h 127.0.0.1 -p 4711 --user hoop');
});

test('a unix socket, as drivers that know them take it', () => {
  const { dsn, environment, programArguments } = redis.connectInfo({ ...local, host: '/home/a b' });
  expect(dsn).toBe('unix://hoop:a%2Fb%3Ac%40d@/home/a%20b/redis.4711.sock?db=2');
  expect(environment).toMatchObject({ REDIS_URL: dsn, REDIS_SOCKET: '/home/a b/redis.4711.sock' });
  expect(programArguments!['redis-cli']).toEqual(['-s', '/home/a b/redis.4711.sock', '--user', 'hoop']);
});

test('a resource without a database has the first; a parameter and a fatal error as Redis has them', () => {
  expect(redis.defaultDatabase('cache')).toBe('0');
  expect(redis.renderParameter(0, 0, Buffer.from('a b'))).toBe('"a b"');
  expect(Buffer.from(redis.fatal('HOOP_LIMIT', 'too\r\nmany')).toString()).toBe('-ERR too many\r\n');
});
