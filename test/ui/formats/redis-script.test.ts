import { spawn } from 'node:child_process';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { renderCommand } from '../../../src/protocol/redis/render.ts';
import type { Statement } from '../../../src/shared/api.ts';
import { redisScript } from '../../../src/ui/formats/redis-script.ts';
import { exampleStatements } from '../../support/example-session.ts';
import { hasProgram } from '../../support/programs.ts';
import { textOf } from '../../support/recording-of.ts';
import { startRedis, type RedisServer } from '../../support/redis.ts';

let server: RedisServer;
let client: Redis;
beforeAll(async () => {
  server = await startRedis();
  client = new Redis({ host: '127.0.0.1', port: server.port, password: server.adminPassword });
});
afterAll(async () => {
  client?.disconnect();
  await server?.stop();
});

const bytes = (text: string) => Buffer.from(text, 'latin1');

async function script(commands: Buffer[][]) {
  const statements = commands.map((words, seq): Statement => ({
    ...exampleStatements[0]!,
    seq,
    verb: 'command',
    text: renderCommand(words),
    outcome: { status: 'ok' },
  }));
  const counts = { written: 0, left: 0 };
  const text = await textOf(
    redisScript(
      (async function* () {
        yield* statements;
      })(),
      counts,
    ),
  );
  return { text, counts };
}

async function contents(database: number): Promise<Record<string, string>> {
  await client.select(database);
  const keys = (await client.callBuffer('KEYS', '*')) as Buffer[];
  const dumps = keys.map(async (key) => [key.toString('hex'), (await client.dumpBuffer(key)).toString('hex')] as const);
  return Object.fromEntries((await Promise.all(dumps)).sort());
}

describe.runIf(hasProgram('redis-cli'))('a script for redis-cli', () => {
  test('does the same again, byte for byte', async () => {
    const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    const commands = [
      [bytes('SET'), every, every],
      [
        bytes('RPUSH'),
        bytes('list'),
        bytes(''),
        bytes(' '),
        bytes('"'),
        bytes("it's"),
        bytes('\\x41'),
        bytes('\r\n FLUSHALL\r\n'),
      ],
      [bytes('MULTI')],
      [bytes('INCR'), bytes('n')],
      [bytes('EXEC')],
      [bytes('set'), Buffer.from('\u001B]52;c;AAAA\u0007\u202E'), Buffer.from('é漢')],
      [
        bytes('EVAL'),
        bytes("return redis.call('SET', KEYS[1], ARGV[1])"),
        bytes('1'),
        bytes('by script'),
        bytes('-- \n\\'),
      ],
      [bytes('HSET'), bytes('h'), bytes('#f'), bytes('5 INCR n')],
    ];
    await client.select(0);
    for (const [name, ...words] of commands) await client.call(name!.toString(), ...words);
    const { text, counts } = await script(commands);
    expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(counts).toEqual({ written: commands.length, left: 0 });
    const child = spawn('redis-cli', [
      '-p',
      String(server.port),
      '-a',
      server.adminPassword,
      '--no-auth-warning',
      '-n',
      '1',
    ]);
    child.stdin.end(text);
    child.stdout.resume();
    await new Promise((resolve) => child.once('close', resolve));
    expect(Object.keys(await contents(1))).toHaveLength(6);
    expect(await contents(1)).toEqual(await contents(0));
  });

  test.each([
    'QUIT',
    'quit x',
    '3 INCR n',
    '-1 GET a',
    'CONNECT evil 6379',
    ':set hints',
    'SUBSCRIBE c',
    'MONITOR',
    'help',
    '?',
  ])('leaves out what redis-cli would take for its own, or wait for: %s', async (line) => {
    expect(await script([line.split(' ').map(bytes)])).toEqual({ text: '', counts: { written: 0, left: 1 } });
  });
});
