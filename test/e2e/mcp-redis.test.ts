import { afterAll, beforeAll, expect, test } from 'vitest';
import { Deployment } from '../support/deployment.ts';
import { revisions, startMcp } from '../support/mcp.ts';
import { startRedis, type RedisServer } from '../support/redis.ts';

let server: RedisServer;
let deployment: Deployment;
beforeAll(async () => {
  server = await startRedis();
  deployment = await Deployment.start({ postgres: { ...server, database: '0' }, protocol: 'redis' });
}, 60_000);
afterAll(async () => {
  await deployment?.remove();
  await server?.stop();
});

test('hoop mcp gives a Redis resource one tool, whose commands are recorded and answered in full or not at all', async () => {
  const { client, call } = await startMcp(revisions[0], deployment.alice.environment());
  expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['command']);
  const reply = async (...command: string[]) => {
    const answer = await call('command', { command });
    return answer.isError ? answer.content[0]!.text : answer.structuredContent!['reply'];
  };
  expect(await reply('SET', 'greeting', 'hé "there"\r\n')).toBe('OK');
  expect(await reply('GET', 'greeting')).toBe('hé "there"\r\n');
  expect(await reply('GET', 'missing')).toBeNull();
  expect(await reply('HSET', 'h', 'a', '1', 'b', '2')).toBe(2);
  expect(await reply('HGETALL', 'h')).toEqual(['a', '1', 'b', '2']);
  expect(await reply('INCR', 'greeting')).toBe('ERR value is not an integer or out of range');
  expect(await reply('EVAL', "return {1, 'x', {false}, redis.error_reply('ERR inner')}", '0')).toEqual([
    1,
    'x',
    [null],
    '(error) ERR inner',
  ]);
  expect(await reply('MONITOR')).toMatch(/hoop refused MONITOR/);
  expect(await reply('SETRANGE', 'large', '300000', 'x')).toBe(300_001);
  expect(await reply('GET', 'large')).toMatch(/too many to show/);
  expect(await reply('SETBIT', 'bits', '0', '1')).toBe(0);
  expect(await reply('GET', 'bits')).toBe('\\x80');
  await client.close();
  const session = await deployment.session(({ state }) => state === 'sealed');
  const statements = await deployment.statements(session.id);
  expect(statements.slice(0, 3).map(({ text }) => text)).toEqual([
    'SET greeting "hé \\"there\\"\\r\\n"',
    'GET greeting',
    'GET missing',
  ]);
  expect(session).toMatchObject({ actor: 'cursor', protocol: 'redis' });
});
