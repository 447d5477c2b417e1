import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { encodeCommand } from '../../src/protocol/redis/messages.ts';
import type { SignedIn } from '../support/identity-gateway.ts';
import { startRedis, type RedisServer } from '../support/redis.ts';
import { RedisWireClient } from '../support/redis-wire-client.ts';
import { startStack, type Connected, type Stack } from '../support/stack.ts';
import { until } from '../support/until.ts';

let server: RedisServer;
let stack: Stack;
let alice: SignedIn;
let direct: RedisWireClient;
let connected: Connected;
let client: RedisWireClient;

beforeAll(async () => {
  server = await startRedis();
  stack = await startStack({
    postgres: { ...server, database: '0' },
    resource: { protocol: 'redis' },
    settings: { messageBytesMax: 65_536 },
  });
  await stack.addUser('alice');
  alice = await stack.signIn('alice');
  direct = await RedisWireClient.login(server.port, ['AUTH', server.adminPassword]);
});
afterAll(async () => {
  direct?.close();
  await stack?.[Symbol.asyncDispose]();
  await server?.stop();
});
afterEach(async () => {
  client?.close();
  await connected?.close();
});

const password = () => connected.environment['REDIS_PASSWORD']!;

async function login(): Promise<RedisWireClient> {
  connected = await stack.connect(alice);
  client = await RedisWireClient.login(connected.port, ['AUTH', password()]);
  return client;
}

/** What the record shows, without what the test's own login asked. */
async function recorded(): Promise<string[]> {
  const { session } = connected;
  client.close();
  await connected.close();
  const statements = await stack.statements(alice, session);
  const shown = statements.map(({ verb, text, outcome }) => {
    const came = outcome?.status === 'refused' && verb === 'refusal' ? outcome.errorCode : outcome?.status;
    return `${verb === 'command' ? text : verb} → ${came}`;
  });
  return shown.filter((line) => line !== 'ECHO "logged in" → ok');
}

/** What the server itself has under a key. */
const valueOf = (key: string) => direct.ask(['GET', key], /\r\n$/);

describe('bytes that two readers could read differently never reach the server', () => {
  test.each([
    ['an inline command', 'SET evil 1\r\n', 'inline-command'],
    ['an HTTP request', 'POST /set HTTP/1.1\r\nHost: x\r\n\r\n', 'inline-command'],
    [
      'a CR followed by anything, which the server takes for a line end',
      '*3\rX$3\r\nSET\r\n$4\r\nevil\r\n$1\r\n1\r\n',
      'bad-line-end',
    ],
    ['a value that ends elsewhere than it says', '*3\r\n$3\r\nSET\r\n$4\r\nevil\r\n$1\r\n12\r\n', 'bad-line-end'],
    ['a signed length', '*3\r\n$+3\r\nSET\r\n$4\r\nevil\r\n$1\r\n1\r\n', 'bad-length'],
    ['a length with a leading zero', '*3\r\n$03\r\nSET\r\n$4\r\nevil\r\n$1\r\n1\r\n', 'bad-length'],
    ['a negative count, which the server skips', '*-1\r\n*3\r\n$3\r\nSET\r\n$4\r\nevil\r\n$1\r\n1\r\n', 'bad-length'],
    ['an empty array, which the server skips', '*0\r\n*3\r\n$3\r\nSET\r\n$4\r\nevil\r\n$1\r\n1\r\n', 'bad-message'],
    ['an array within the array', '*3\r\n*1\r\n$3\r\nSET\r\n$4\r\nevil\r\n$1\r\n1\r\n', 'bad-message'],
    ['an attribute before it', '|1\r\n+a\r\n+b\r\n*3\r\n$3\r\nSET\r\n$4\r\nevil\r\n$1\r\n1\r\n', 'inline-command'],
    ['a length of minus zero', '*3\r\n$3\r\nSET\r\n$4\r\nevil\r\n$-0\r\n\r\n', 'bad-length'],
    ['a null for an argument', '*4\r\n$3\r\nSET\r\n$4\r\nevil\r\n$1\r\n1\r\n$-1\r\n', 'bad-length'],
    ['a length of 2^32 and a little', '*3\r\n$4294967299\r\nSET\r\n', 'message-too-long'],
  ])('%s: refused, and the end', async (_name, bytes, reason) => {
    await login();
    client.raw(bytes);
    await client.closed();
    expect(client.received).toMatch(/^-ERR hoop refused this connection's bytes: .*\r\n$/);
    expect(await recorded()).toEqual([`refusal → ${reason}`]);
    expect(await valueOf('evil')).toBe('$-1\r\n');
  });

  test('a command over the bound for messages: refused before it is read', async () => {
    await login();
    client.raw('*3\r\n$3\r\nSET\r\n$4\r\nevil\r\n$65536\r\n');
    await client.closed();
    expect(await recorded()).toEqual(['refusal → message-too-long']);
  });

  test('what came before the fault ran and is in the record; what comes behind it is neither', async () => {
    await login();
    client.raw(
      Buffer.concat([
        encodeCommand(['SET', 'good', '1']),
        Buffer.from('SET evil 1\r\n'),
        encodeCommand(['SET', 'evil', '2']),
      ]),
    );
    await client.closed();
    expect(await recorded()).toEqual([expect.stringMatching(/^SET good 1 → /), 'refusal → inline-command']);
    expect(await valueOf('evil')).toBe('$-1\r\n');
  });

  test('a command whose end never came was not run', async () => {
    await login();
    client.raw('*3\r\n$3\r\nSET\r\n$4\r\nevil\r\n$1\r\n1');
    client.close();
    await connected.idle();
    expect(await recorded()).toEqual(['refusal → truncated']);
    expect(await valueOf('evil')).toBe('$-1\r\n');
  });
});

describe('what would get around the record is refused in its place, and the connection goes on', () => {
  test.each([
    ['MONITOR'],
    ['SYNC'],
    ['PSYNC ? -1'],
    ['REPLCONF ACK 0'],
    ['REPLICAOF 127.0.0.1 1'],
    ['SLAVEOF 127.0.0.1 1'],
    ['FAILOVER'],
    ['DEBUG SLEEP 0'],
    ['MODULE LOAD /tmp/x.so'],
    ['MIGRATE 127.0.0.1 1 key 0 10'],
    ['SHUTDOWN NOSAVE'],
    ['CLIENT KILL TYPE normal'],
    ['CLIENT REPLY OFF'],
    ['CLIENT PAUSE 1000'],
    ['CLUSTER RESET'],
    ['SCRIPT DEBUG YES'],
    ['FUNCTION RESTORE x'],
    ['ACL LIST'],
    ['CONFIG SET maxmemory 1'],
    ['CONFIG GET *'],
    ['CONFIG GET requirepass'],
    ['RESET'],
    ['PFSELFTEST'],
    ['A.RENAMED.COMMAND x'],
    ['mOnItOr'],
    ['client  reply off'],
    ['client kIlL TYPE normal'],
    ['CLUSTER NODES'],
    ['SCRIPT'],
    ['FUNCTION'],
    ['RESTORE-ASKING k 0 x'],
  ])('%s', async (line) => {
    await login();
    client.send(line.split(' '), ['ECHO', 'still here']);
    const received = await client.until(/still here\r\n$/);
    expect(received).toMatch(/^-ERR hoop refused [^\r]*It was recorded and not forwarded\.\r\n\$10\r\nstill here\r\n$/);
    expect((await recorded()).map((shown) => shown.replaceAll('"', ''))).toEqual([
      `${line} → refused`,
      'ECHO still here → ok',
    ]);
  });

  test('a name that a server which compares up to a NUL would take for another', async () => {
    await login();
    client.send(['MONITOR\0'], ['CLIENT', 'KILL\0'], ['CONFIG', 'GET', 'requirepass\0'], ['ECHO', 'end']);
    expect((await client.until(/end\r\n$/)).match(/-ERR hoop refused/g)).toHaveLength(3);
    expect((await recorded()).slice(0, 3).every((line) => line.endsWith(' → refused'))).toBe(true);
  });

  test('in a transaction: nothing of it runs', async () => {
    await login();
    client.send(['MULTI'], ['SET', 'evil', '1'], ['MONITOR'], ['EXEC'], ['ECHO', 'end']);
    expect(await client.until(/end\r\n$/)).toContain('-EXECABORT');
    expect(await recorded()).toEqual([
      'MULTI → ok',
      'SET evil 1 → skipped',
      'MONITOR → refused',
      'EXEC → error',
      'ECHO end → ok',
    ]);
    expect(await valueOf('evil')).toBe('$-1\r\n');
  });

  test('a script that only the server knows is not run by its name', async () => {
    const sha = /[0-9a-f]{40}/.exec(
      await direct.ask(['SCRIPT', 'LOAD', "return redis.call('set','evil','1')"], /\r\n.*\r\n$/),
    )![0];
    await login();
    client.send(['EVALSHA', sha, '0'], ['MULTI'], ['EVALSHA', sha.toUpperCase(), '0'], ['EXEC'], ['ECHO', 'end']);
    expect(await client.until(/end\r\n$/)).toMatch(/^-NOSCRIPT .*\r\n\+OK\r\n-NOSCRIPT .*\r\n-EXECABORT/);
    expect(await recorded()).toEqual([
      `EVALSHA ${sha} 0 → refused`,
      'MULTI → ok',
      `EVALSHA ${sha.toUpperCase()} 0 → refused`,
      'EXEC → error',
      'ECHO end → ok',
    ]);
    expect(await valueOf('evil')).toBe('$-1\r\n');
  });

  test('a function that only the server knows is not run by its name', async () => {
    const code = "#!lua name=lib\nredis.register_function('evil_function', function() return 'ran' end)";
    await direct.ask(['FUNCTION', 'LOAD', 'REPLACE', code], /\r\n.*\r\n$/);
    await login();
    client.send(['FCALL', 'evil_function', '0'], ['FUNCTION', 'LOAD', 'REPLACE', code]);
    await client.until(/lib\r\n$/);
    expect(await client.ask(['FCALL', 'evil_function', '0'], /ran\r\n$/)).toContain('ran');
    expect((await recorded()).map((line) => line.replace(/LOAD .* →/, 'LOAD →'))).toEqual([
      'FCALL evil_function 0 → refused',
      'FUNCTION LOAD → ok',
      'FCALL evil_function 0 → ok',
    ]);
  });

  test('a value that says QUEUED, and one that looks like a message, are values', async () => {
    await login();
    client.send(
      ['EVAL', "return {ok='QUEUED'}", '0'],
      ['RPUSH', 'looks', 'message', 'a', 'b'],
      ['LRANGE', 'looks', '0', '-1'],
      ['ECHO', 'end'],
    );
    await client.until(/end\r\n$/);
    expect((await recorded()).map((line) => line.slice(-4))).toEqual(['→ ok', '→ ok', '→ ok', '→ ok']);
  });
});

describe('states that client and server could see differently', () => {
  let ends = 0;
  const shown = async () => (await recorded()).filter((line) => !/^ECHO end\d → ok$/.test(line));
  const send = async (...commands: string[]) => {
    const end = `end${++ends % 10}`;
    client.send(...commands.map((line) => line.split(' ')), ['ECHO', end]);
    return client.until(new RegExp(`${end}\r\n$`));
  };

  test.each(['DISCARD x', 'EXEC x', 'MULTI x'])(
    '%s does not end a transaction here that goes on at the server, nor the other way',
    async (line) => {
      await login();
      await send('MULTI', 'SET evil 1', line, 'SUBSCRIBE evil', 'SET evil 2', 'EXEC');
      expect(await shown()).toEqual([
        'MULTI → ok',
        'SET evil 1 → skipped',
        `${line} → refused`,
        'SUBSCRIBE evil → refused',
        'SET evil 2 → skipped',
        'EXEC → error',
      ]);
      expect(await valueOf('evil')).toBe('$-1\r\n');
    },
  );

  test('a transaction that the server spoils runs nothing, and one whose key was watched and changed', async () => {
    await login();
    await send('MULTI', 'SET evil', 'SET evil 1', 'EXEC', 'WATCH watched');
    await direct.ask(['SET', 'watched', '1'], /OK\r\n$/);
    await send('MULTI', 'SET evil 2', 'EXEC');
    expect(await shown()).toEqual([
      'MULTI → ok',
      'SET evil → error',
      'SET evil 1 → skipped',
      'EXEC → error',
      'WATCH watched → ok',
      'MULTI → ok',
      'SET evil 2 → skipped',
      'EXEC → ok',
    ]);
    expect(await valueOf('evil')).toBe('$-1\r\n');
  });

  test('a login again under way: neither the resource’s password nor a second AUTH within HELLO reaches the server', async () => {
    await login();
    const others = [`HELLO 3 AUTH default ${server.adminPassword}`, `HELLO 3 AUTH hoop ${password()} AUTH default x`];
    const received = await send(...others, 'HELLO 3', 'HELLO 2');
    expect(received).toMatch(/^-WRONGPASS .*\r\n-ERR syntax error in HELLO\r\n%7/);
    const lines = await shown();
    expect(lines.map((line) => line.replace(/.* → /, ''))).toEqual(['refused', 'refused', 'ok', 'ok']);
    expect(lines.join()).not.toContain(server.adminPassword);
  });

  test('a pipeline behind a blocked command: what never ran has no outcome that says that it did', async () => {
    await login();
    client.send(['BLPOP', 'nothing', '0'], ['SET', 'evil', '1']);
    const isThere = async () => (await stack.statements(alice, connected.session)).length === 3;
    await until(isThere, { seconds: 10, what: () => 'both commands in the record' });
    expect(await shown()).toEqual(['BLPOP nothing 0 → unknown', 'SET evil 1 → unknown']);
    expect(await valueOf('evil')).toBe('$-1\r\n');
  });

  test('a script whose body the server has dropped is an error, not a run', async () => {
    await login();
    const sha = createHash('sha1').update('return(1)').digest('hex');
    await send('EVAL return(1) 0', 'SCRIPT FLUSH', `EVALSHA ${sha} 0`);
    expect(await shown()).toEqual(['EVAL return(1) 0 → ok', 'SCRIPT FLUSH → ok', `EVALSHA ${sha} 0 → error`]);
  });

  test('invalidations that another connection sends here answer nothing', async () => {
    await login();
    const id = /:(\d+)/.exec(await send('CLIENT ID'))![1]!;
    client.send(['SUBSCRIBE', '__redis__:invalidate']);
    await client.until(/:1\r\n$/);
    await direct.ask(['CLIENT', 'TRACKING', 'ON', 'BCAST', 'REDIRECT', id], /OK\r\n$/);
    await direct.ask(['SET', 'tracked', '1'], /OK\r\n$/);
    await client.until(/tracked\r\n$/);
    await send('UNSUBSCRIBE');
    await direct.ask(['CLIENT', 'TRACKING', 'OFF'], /OK\r\n$/);
    expect((await shown()).slice(1)).toEqual(['SUBSCRIBE __redis__:invalidate → ok', 'UNSUBSCRIBE → ok']);
  });
});
