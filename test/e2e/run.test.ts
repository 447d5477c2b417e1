import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Deployment } from '../support/deployment.ts';
import { startRedis, type RedisServer } from '../support/redis.ts';
import { until } from '../support/until.ts';

let server: RedisServer;
let deployment: Deployment;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hoop-run-'));
  server = await startRedis();
  deployment = await Deployment.start({ postgres: { ...server, database: '0' }, protocol: 'redis' });
});
afterAll(async () => {
  await deployment?.remove();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test('the environment is in the child, under one more name where that is asked for, and in a 0600 file while it runs', async () => {
  const file = join(folder, 'env');
  const script = 'cat "$0"; stat -c "mode %a" "$0"; echo "same $([ "$DSN" = "$REDIS_URL" ] && echo yes)"';
  const flags = ['--write-env', file, '--dsn-variable', 'DSN'];
  const { stdout, code } = await deployment.alice.run(['run', 'orders-db', ...flags, '--', 'sh', '-c', script, file]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^REDIS_URL=redis:\/\/hoop:\S+@127\.0\.0\.1:\d+\/0$/m);
  expect(stdout).toMatch(/^DSN=redis:\/\/hoop:/m);
  expect(stdout).toContain('mode 600\nsame yes\n');
  expect(existsSync(file)).toBe(false);
});

test('a file that is there is neither overwritten nor removed', async () => {
  const file = join(folder, 'mine');
  writeFileSync(file, 'mine');
  const { stderr, code } = await deployment.alice.run(['run', 'orders-db', '--write-env', file, '--', 'true']);
  expect({ stderr, code }).toMatchObject({ stderr: expect.stringContaining('is not overwritten'), code: 1 });
  expect(existsSync(file)).toBe(true);
});

test.each(['SIGTERM', 'SIGHUP'] as const)('after %s the file is gone too', async (signal) => {
  const file = join(folder, signal);
  const run = ['run', 'orders-db', '--write-env', file, '--', process.execPath, '-e'];
  const role = deployment.role([...run, 'console.log("up"); setInterval(() => {}, 1000)'], deployment.alice);
  await role.says(/up/);
  expect(existsSync(file)).toBe(true);
  role.signal(signal);
  expect((await role.ended).code).toBe(signal === 'SIGTERM' ? 143 : 129);
  expect(existsSync(file)).toBe(false);
});

test('a program that only opens a window: the session stays, and it is said what a running window does not have', async () => {
  const cursor = join(folder, 'cursor');
  const file = join(folder, 'window');
  writeFileSync(cursor, '#!/bin/sh\nexit 0\n');
  chmodSync(cursor, 0o755);
  const role = deployment.role(['run', 'orders-db', '--write-env', file, '--', cursor, '.'], deployment.alice);
  await role.says(/the session stays open until Ctrl-C\.\n.*hoop connect orders-db --cursor/);
  const [session] = await deployment.sessions();
  expect(session).toMatchObject({ state: 'live' });
  expect(existsSync(file)).toBe(true);
  role.signal('SIGINT');
  expect((await role.ended).code).toBe(130);
  expect(existsSync(file)).toBe(false);
  await until(async () => (await deployment.sessions())[0]!.state === 'sealed');

  // What does its work itself is no window.
  expect(await deployment.alice.run(['run', 'orders-db', '--', cursor, '--version'])).toMatchObject({ code: 0 });
});
