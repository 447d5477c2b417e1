import { spawn } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Deployment } from '../support/deployment.ts';
import { hasProgram } from '../support/programs.ts';
import { startRedis, type RedisServer } from '../support/redis.ts';

let server: RedisServer;
let deployment: Deployment;
beforeAll(async () => {
  server = await startRedis();
  deployment = await Deployment.start({ postgres: { ...server, database: '0' }, protocol: 'redis' });
});
afterAll(async () => {
  await deployment?.remove();
  await server?.stop();
});

/** redis-cli with lines on its standard input; what it printed. */
function redisCli(environment: Record<string, string>, args: string[], input = ''): Promise<string> {
  const at = ['-h', environment['REDIS_HOST']!, '-p', environment['REDIS_PORT']!, '--user', 'hoop'];
  const child = spawn('redis-cli', [...at, ...args], { env: { ...process.env, ...environment } });
  let said = '';
  for (const output of [child.stdout, child.stderr])
    output.setEncoding('utf8').on('data', (text: string) => (said += text));
  child.stdin.end(input);
  return new Promise((resolve) => child.once('close', () => resolve(said)));
}

test.runIf(hasProgram('redis-cli')).each([[[]], [['-3']]])(
  'connect, redis-cli %j, replay: lines that redis-cli takes, and what came of them',
  async (flags) => {
    const { role, ready } = await deployment.connect();
    expect(ready).toMatchObject({ dsn: ready.environment['REDIS_URL'] });
    expect(ready.environment['REDIS_URL']).toMatch(/^redis:\/\/hoop:[\w%-]+@127\.0\.0\.1:\d+\/0$/);
    const lines = [
      'FLUSHALL',
      'SET "two words" "a\\x00\\"b"',
      'GET "two words"',
      'HSET h f v',
      'HGETALL h',
      'INCR h',
      'MONITOR',
      'DBSIZE',
    ];
    const said = await redisCli(ready.environment, flags, lines.join('\n'));
    expect(said).toContain('hoop refused MONITOR');
    await role.kill('SIGINT');

    const { stdout } = await deployment.run(['replay', ready.session]);
    for (const line of lines) expect(stdout).toContain(`    ${line}\n`);
    expect(stdout).toMatch(/GET "two words"\n +OK string of 4 bytes/);
    expect(stdout).toMatch(/FLUSHALL\n +OK · /);
    expect(stdout).toMatch(/INCR h\n +ERROR WRONGTYPE /);
    expect(stdout).toMatch(/MONITOR\n +REFUSED by hoop, not forwarded: ERR hoop refused MONITOR/);
    expect(stdout).not.toContain(ready.environment['REDIS_PASSWORD']);
    const { stdout: found } = await deployment.run(['sessions', '--json', '--resource', 'orders-db']);
    expect(JSON.parse(found).sessions[0]).toMatchObject({ protocol: 'redis', state: 'sealed' });
  },
);

test('the record as JSON: words, exact text, outcome', async () => {
  const { role, ready } = await deployment.connect();
  await redisCli(ready.environment, ['-x', 'SET', 'binary'], '\u0001\u00ff');
  await role.kill('SIGINT');
  const set = (await deployment.statements(ready.session)).find(({ arguments: words }) => words?.[0] === 'SET');
  expect(set).toMatchObject({ verb: 'command', text: 'SET binary "\\x01ÿ"', arguments: ['SET', 'binary', '\u0001ÿ'] });
  expect(set?.outcome).toMatchObject({ status: 'ok', tag: 'OK' });
});

test('a child gets the address and the password in its environment', async () => {
  const { stdout } = await deployment.alice.run(['connect', 'orders-db', '--', 'redis-cli', '--version']);
  expect(stdout).toMatch(/^redis-cli /);
  const script = 'process.stdout.write(process.env.REDIS_URL + " " + process.env.REDISCLI_AUTH)';
  const { stdout: seen } = await deployment.alice.run(['connect', 'orders-db', '--', process.execPath, '-e', script]);
  const [url, password] = seen.split(' ');
  expect(new URL(url!).password).toBe(password);
});

test.runIf(hasProgram('redis-cli'))(
  'redis-cli as a child reaches the resource, not a server at port 6379, without its password in the arguments',
  async () => {
    for (const command of ['connect', 'run']) {
      const { stdout } = await deployment.alice.run([command, 'orders-db', '--', 'redis-cli', 'SET', 'by', command]);
      expect(stdout).toBe('OK\n');
    }
    const [last] = await deployment.sessions();
    expect((await deployment.run(['replay', last!.id])).stdout).toContain('    SET by run\n    OK');
  },
);
