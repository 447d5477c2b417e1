import { afterAll, beforeAll, expect, test } from 'vitest';
import { startRedis, type RedisServer } from '../support/redis.ts';
import { RedisWireClient } from '../support/redis-wire-client.ts';
import { startStack, type Stack } from '../support/stack.ts';
import type { Statement } from '../../src/shared/api.ts';
import type { SignedIn } from '../support/identity-gateway.ts';

/** Each run: three connections at once, with so many commands each, cut into pipelines of random sizes. */
const runs = Number(process.env['HOOP_PROVE_RUNS'] ?? 4);
const commandsPerStream = 150;

let server: RedisServer;
let stack: Stack;
let alice: SignedIn;
let monitor: RedisWireClient;

beforeAll(async () => {
  server = await startRedis();
  stack = await startStack({ postgres: { ...server, database: '0' }, resource: { protocol: 'redis' } });
  await stack.addUser('alice');
  alice = await stack.signIn('alice');
  monitor = await RedisWireClient.login(server.port, ['AUTH', server.adminPassword]);
  await monitor.ask(['MONITOR'], /\+OK/);
});
afterAll(async () => {
  monitor?.close();
  await stack?.[Symbol.asyncDispose]();
  await server?.stop();
});

test.each(Array.from({ length: runs }, (_, seed) => seed + 1))(
  'what the record says ran is what the server says ran, to the byte and in order (seed %i)',
  async (seed) => {
    monitor.received = '';
    const connected = await stack.connect(alice);
    const { REDIS_PASSWORD: password = '' } = connected.environment;
    const random = randomFrom(seed);
    const streams = ['one', 'two', 'three'].map(async (name) => {
      const client = await RedisWireClient.login(
        connected.port,
        random() < 0.5 ? ['AUTH', password] : ['HELLO', '3', 'AUTH', 'hoop', password],
      );
      const commands = Array.from({ length: commandsPerStream }, () => randomCommand(random));
      while (commands.length > 0) client.send(...commands.splice(0, 1 + Math.floor(random() * 20)));
      client.send(['DISCARD'], ['ECHO', `end of ${name}`]);
      await client.until(new RegExp(`end of ${name}\r\n$`));
      client.close();
    });
    await Promise.all(streams);
    const ends = () => monitor.received.match(/"ECHO" "end of /g)?.length ?? 0;
    await expect.poll(ends).toBe(3);
    const { session } = connected;
    await connected.close();

    const statements = await stack.statements(alice, session);
    const ordinals = [...new Set(statements.map(({ stream }) => stream))];
    const said = ordinals.map((ordinal) => executed(statements.filter(({ stream }) => stream === ordinal)));
    const ran = monitored(monitor.received);
    expect(said.toSorted(byEnd)).toEqual(ran.toSorted(byEnd));
    expect(ran.flat().length).toBeGreaterThan(100);
  },
);

const byEnd = (one: string[], other: string[]) => (one.at(-1)! < other.at(-1)! ? -1 : 1);

/**
 * What the record of one connection says that the server executed, in the order of execution: what MULTI queued runs at EXEC, and the
 * EXEC of a transaction in which hoop refused something is a DISCARD.
 */
function executed(statements: Statement[]): string[] {
  const lines: string[] = [];
  let queued: string[] | undefined;
  let isSpoilt = false;
  for (const { text, outcome } of statements) {
    const name = /^[a-z]+/i.exec(text ?? '')?.[0].toLowerCase() ?? '';
    if (outcome?.status === 'refused' && queued) isSpoilt = true;
    if (text === null || name === 'hello' || !wasRun(outcome)) continue;
    const line = wordsOf(name === 'exec' && isSpoilt ? 'DISCARD' : text).join(' ');
    const isEnd = name === 'exec' || name === 'discard';
    if (queued && !isEnd && name !== 'multi' && name !== 'watch') queued.push(line);
    else lines.push(...(isEnd ? (queued ?? []) : []), line);
    if (isEnd) [queued, isSpoilt] = [undefined, false];
    else if (name === 'multi') queued ??= [];
  }
  return lines;
}

/** An error of the command itself is one of a command that ran; one before that (a wrong count, an unknown name) MONITOR does not show. */
function wasRun(outcome: Statement['outcome']): boolean {
  if (outcome?.status === 'ok') return true;
  return outcome?.status === 'error' && !/wrong number of arguments|unknown/.test(outcome.errorMessage ?? '');
}

/** `+<time> [<db> <address>] "word" "word"`: commands by connection, those of the agent's login and of scripts left out. */
function monitored(text: string): string[][] {
  const byAddress = new Map<string, string[]>();
  for (const line of text.split('\r\n')) {
    const [, address, words] = /^\+[\d.]+ \[\d+ ([^\]]+)\] (.*)$/.exec(line) ?? [];
    if (address === undefined || address === 'lua' || /^"(hello|auth)"/i.test(words!)) continue;
    byAddress.set(address, [...(byAddress.get(address) ?? []), wordsOf(words!).join(' ')]);
  }
  return [...byAddress.values()];
}

/** Words as redis-cli and MONITOR quote them; each in hex, so that every byte counts. */
function wordsOf(line: string): string[] {
  const words = line.match(/"(?:\\x[0-9a-f]{2}|\\.|[^"\\])*"|[^\s"]+/g) ?? [];
  return words.map((word) => (word.startsWith('"') ? unquoted(word.slice(1, -1)) : Buffer.from(word)).toString('hex'));
}

const named: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', a: '\u0007', b: '\b' };

function unquoted(text: string): Buffer {
  const pieces = text.match(/\\x[0-9a-f]{2}|\\.|[^\\]/gu) ?? [];
  return Buffer.concat(
    pieces.map((piece) => {
      if (/^\\x../.test(piece)) return Buffer.from(piece.slice(2), 'hex');
      return Buffer.from(piece.startsWith('\\') ? (named[piece[1]!] ?? piece[1]!) : piece);
    }),
  );
}

type Random = () => number;

function randomFrom(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const pick = <Item>(random: Random, items: readonly Item[]): Item => items[Math.floor(random() * items.length)]!;

/** Any bytes, and words that mean something somewhere. */
function randomValue(random: Random): string | Uint8Array {
  if (random() < 0.5)
    return pick(random, [
      '',
      '1',
      'QUEUED',
      'a b',
      '"',
      '\\',
      '\r\n',
      "it's",
      'grün',
      '*1\r\n$4\r\nPING\r\n',
      'x'.repeat(300),
    ]);
  return Uint8Array.from({ length: Math.floor(random() * 30) }, () => Math.floor(random() * 256));
}

/** Of every kind that the decoder knows; some fail, some are refused. */
function randomCommand(random: Random): (string | Uint8Array)[] {
  const key = pick(random, ['a', 'b', 'list', 'hash']);
  const value = randomValue(random);
  const body = pick(random, [
    'return 1',
    "return {ok='QUEUED'}",
    "return redis.call('get', KEYS[1])",
    'return {1,{2,{3}}}',
  ]);
  return pick<() => (string | Uint8Array)[]>(random, [
    () => ['SET', key, value],
    () => ['get', key],
    () => ['INCR', key],
    () => ['LPUSH', 'list', value, value],
    () => ['LRANGE', 'list', '0', '-1'],
    () => ['HSET', 'hash', value, value],
    () => ['HGETALL', 'hash'],
    () => ['DEL', 'list', key],
    () => ['ECHO', value],
    () => ['GET'],
    () => ['MULTI'],
    () => ['MULTI'],
    () => ['EXEC'],
    () => ['EXEC'],
    () => ['DISCARD'],
    () => ['WATCH', key],
    () => ['UNWATCH'],
    () => ['EVAL', body, '1', key],
    () => ['MONITOR'],
    () => ['NOSUCHCOMMAND', value],
    () => ['AUTH', 'wrong'],
    () => ['SELECT', pick(random, ['0', '1'])],
    () => ['BLPOP', 'list', '0.01'],
    () => ['PUBLISH', 'news', value],
  ])();
}
