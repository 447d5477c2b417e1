import pg from 'pg';
import { fetch } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { approveDevice } from '../../src/client/approve-device.ts';
import { Cli } from '../support/cli.ts';
import { deployedBeforePostgres } from '../support/deployed.ts';
import type { Ready } from '../support/deployment.ts';
import { at } from '../support/load.ts';
import { until } from '../support/until.ts';

const deployment = await deployedBeforePostgres();

test('hoop connect --keep-credential gives the same address and password each time; without it, another password', async () => {
  const seen: Record<string, string>[] = [];
  for (const args of [['--keep-credential'], ['--keep-credential'], []]) {
    const { role, ready } = await deployment.connect(args);
    seen.push(ready.environment);
    await role.kill('SIGTERM');
    await until(async () => (await deployment.sessions()).every(({ state }) => state === 'sealed'));
  }
  const [first, second, third] = seen;
  expect(second).toEqual(first);
  expect(third!['PGPORT']).toBe(first!['PGPORT']);
  expect(third!['PGPASSWORD']).not.toBe(first!['PGPASSWORD']);
});

test('hoop connect --ttl says until when, ends by itself and fails', async () => {
  const { role } = await deployment.connect(['--ttl', '2s']);
  await role.says(/ready on .* · until \d{4}-/);
  expect(await role.ended).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('HOOP_SESSION_ENDED'),
    stderr: expect.stringContaining('orders-db ended: its time is over'),
  });
  const wrong = await deployment.alice.run(['connect', 'orders-db', '--ttl', 'soon']);
  expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('--ttl "soon" is not understood') });
});

test('hoop grants add --actor: who it is for is listed, and said to others', async () => {
  await deployment.run(['users', 'create', 'bob', '--password-stdin'], { stdin: `${deployment.password}\n` });
  await deployment.run([
    'grants',
    'add',
    '--user',
    'bob',
    '--resource',
    'orders-db',
    '--actor',
    'cursor',
    '--max-ttl',
    '8h',
  ]);
  const { stdout } = await deployment.run(['grants', 'list']);
  expect(stdout).toMatch(/bob +orders-db +by cursor, for 8 h/);
});

test('hoop grants add --require-actor: who says no name is told how to say one', async () => {
  const secret = { stdin: `${deployment.password}\n` };
  await deployment.run(['users', 'create', 'carol', '--password-stdin'], secret);
  await deployment.run(['grants', 'add', '--user', 'carol', '--resource', 'orders-db', '--require-actor']);
  expect((await deployment.run(['grants', 'list'])).stdout).toMatch(/carol +orders-db +by a coding agent/);
  const carol = new Cli();
  onTestFinished(() => carol.remove());
  expect(await carol.login('carol', deployment.password, ['--gateway', deployment.url])).toMatchObject({ code: 0 });
  const child = ['run', 'orders-db', '--', process.execPath, '-p', '`port ${process.env.PGPORT}`'];
  const nameless = await carol.run(child);
  expect(nameless.stderr).toContain('carol may reach orders-db only by a coding agent that says who it is');
  expect(nameless.stderr).toContain('--as NAME');
  expect(nameless).toMatchObject({ code: 3, stdout: '' });
  const named = await carol.run(['run', '--as', 'aider', ...child.slice(1)]);
  expect(named).toMatchObject({ code: 0, stdout: expect.stringMatching(/^port \d+/) });
  expect(await deployment.session(({ user }) => user === 'carol')).toMatchObject({ actor: 'aider' });
});

test('hoop connect goes on behind its longest life when a person approves anew: the same port and password, a successor in the record', async () => {
  const secret = { stdin: `${deployment.password}\n` };
  await deployment.run(['users', 'create', 'erin', '--password-stdin'], secret);
  await deployment.run(['grants', 'add', '--user', 'erin', '--resource', 'orders-db', '--max-ttl', '15s']);
  const erin = new Cli();
  onTestFinished(() => erin.remove());
  expect(await erin.login('erin', deployment.password, ['--gateway', deployment.url])).toMatchObject({ code: 0 });
  const role = deployment.role(['connect', 'orders-db', '--json'], erin);
  const [first] = await role.says(/^\{.*\}$/m);
  const { environment } = JSON.parse(first) as Ready;
  const ask = async (text: string) => {
    const client = new pg.Client(at(environment));
    await client.connect();
    const { rows } = await client.query(text);
    await client.end();
    return rows as unknown[];
  };
  expect(await ask('select 1 as before')).toEqual([{ before: 1 }]);
  const [, link = '', code = ''] = await role.says(/Sign in: open (\S+) and enter (\S+) /, { seconds: 60 });
  await expect(ask('select 1')).rejects.toThrow(/a person has to approve/);
  await approveDevice({
    verificationUriComplete: `${link}?user_code=${code}`,
    user: 'erin',
    password: deployment.password,
    fetch,
  });
  await role.says(/ready on [^]*ready on /, { seconds: 60 });
  expect(await ask('select 2 as behind')).toEqual([{ behind: 2 }]);
  await role.kill('SIGTERM');
  const ofErin = async () => (await deployment.sessions()).filter(({ user }) => user === 'erin');
  await until(async () => (await ofErin()).every(({ state }) => state === 'sealed'));
  const [second, one] = await ofErin();
  expect(one).toMatchObject({ reason: 'expired' });
  expect(second).toMatchObject({ continues: one!.id, actorInstance: one!.actorInstance });
}, 120_000);
