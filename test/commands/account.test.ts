import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cli, type CliResult } from '../support/cli.ts';
import { password, startTestGateway, type TestGateway } from '../support/identity-gateway.ts';

let gateway: TestGateway;
const machines: Cli[] = [];
const machine = (env: Record<string, string> = {}) => {
  const cli = new Cli(env);
  machines.push(cli);
  return cli;
};
const json = (result: CliResult) => JSON.parse(result.stdout);

/** For a child process on a machine whose clock runs ahead as the gateway's does. */
const clockAhead = (seconds: number) => {
  const script = `const Real = Date; const ahead = ${seconds * 1000};
    globalThis.Date = class extends Real {
      constructor(...given) { given.length > 0 ? super(...given) : super(Real.now() + ahead); }
      static now() { return Real.now() + ahead; }
    };`;
  return `--import data:text/javascript;base64,${Buffer.from(script).toString('base64')}`;
};

beforeAll(async () => {
  gateway = await startTestGateway();
  await gateway.addUser('root', 'admin');
  await gateway.addUser('alice');
});
afterAll(async () => {
  for (const cli of machines) cli.remove();
  await gateway.close();
});

describe('a sign-in, from login to logout', () => {
  const cli = machine();

  it('login shows code and page on stderr, waits, and stores the tokens where only the user can read them', async () => {
    const result = await cli.login('root', password, ['--gateway', gateway.url, '--json']);
    expect(result).toMatchObject({ code: 0 });
    expect(json(result)).toMatchObject({ user: 'root', role: 'admin', via: 'sign-in', gateway: gateway.url });
    expect(result.stderr).toMatch(/Code {2}[A-Z]{4}-[A-Z]{4}\n/);
    expect(result.stderr).toContain('No keychain here');
    const [file = ''] = readdirSync(join(cli.configDir, 'tokens')).filter((name) => name.endsWith('.json'));
    expect(statSync(join(cli.configDir, 'tokens', file)).mode & 0o777).toBe(0o600);
    expect(statSync(join(cli.configDir, 'settings.json')).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(cli.configDir, 'settings.json'), 'utf8')).not.toMatch(/refresh|"d"/);
  });

  it('whoami needs no --gateway afterwards', async () => {
    const result = await cli.run(['whoami']);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(result.stdout).toMatch(/user +root\nrole +admin/);
  });

  it('creates a user with a link, another with a password from stdin', async () => {
    const invited = await cli.run(['users', 'create', 'bob', '--group', 'backend']);
    expect(invited.code).toBe(0);
    expect(invited.stdout).toMatch(new RegExp(`^${gateway.url}/invite\\?token=\\S+\\n$`));
    const made = await cli.run(['users', 'create', 'carol', '--password-stdin', '--json'], { stdin: `${password}\n` });
    expect(json(made)).toMatchObject({ user: { name: 'carol', active: true } });
    const listed = await cli.run(['users', 'list', '--json']);
    expect(
      json(listed)
        .users.map((user: { name: string }) => user.name)
        .sort(),
    ).toEqual(['alice', 'bob', 'carol', 'root']);
    const table = await cli.run(['users', 'list']);
    expect(table.stdout).toMatch(/^USER +ROLE +GROUPS +STATE +CREATED\n/);
    expect(table.stdout).toMatch(/bob +user +backend +invited/);
    expect((await cli.run(['users', 'invite', 'bob'])).stdout).toContain('/invite?token=');
    expect((await cli.run(['users', 'remove', 'carol'])).code).toBe(0);
  });

  it('grants are added, listed, and removed by what they say', async () => {
    const added = await cli.run(['grants', 'add', '--user', 'alice', '--resource', 'orders-db', '--json']);
    expect(json(added)).toMatchObject({ user: 'alice', resource: 'orders-db', createdBy: 'root' });
    expect((await cli.run(['grants', 'list'])).stdout).toMatch(/alice +orders-db/);
    const removed = await cli.run(['grants', 'remove', '--user', 'alice', '--resource', 'orders-db', '--json']);
    expect(json(removed)).toEqual({ removed: json(added).id });
    expect(await cli.run(['grants', 'remove', '--user', 'alice', '--resource', 'orders-db'])).toMatchObject({
      code: 7,
    });
  });

  it('a grant for a resource that no agent has offered is made, and the name is asked about', async () => {
    const grant = (resource: string) => cli.run(['grants', 'add', '--group', 'backend', '--resource', resource]);
    const early = await grant('orders-db');
    expect(early).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\S+\n$/) as string });
    expect(early.stderr).toMatch(/^Warning: no agent has offered a resource orders-db \(there is none yet\)/);
    gateway.registry.agents.create('early-agent');
    gateway.registry.agents.offerResources('early-agent', '1.0.0', [
      {
        name: 'payments',
        protocol: 'postgres',
        address: '127.0.0.1:5432',
        database: 'pay',
        tls: 'disable',
        results: 'digest',
      },
    ]);
    expect((await grant('paymnets')).stderr).toContain('a resource paymnets (there are payments)');
    for (const known of ['payments', '*']) expect((await grant(known)).stderr).not.toContain('Warning');
  });

  it('agents create prints the join token alone on stdout', async () => {
    const created = await cli.run(['agents', 'create', 'db-agent']);
    expect(created.code).toBe(0);
    expect(created.stdout.trim().split('\n')).toHaveLength(1);
    expect(created.stderr).toContain(`hoop agent start --gateway ${gateway.url} --join TOKEN`);
    expect((await cli.run(['agents', 'create', 'db-agent'])).code).toBe(1);
    expect((await cli.run(['agents', 'create', 'db-agent', '--again'])).code).toBe(0);
    expect((await cli.run(['agents', 'list'])).stdout).toMatch(/db-agent +not joined/);
    expect((await cli.run(['agents', 'remove', 'db-agent'])).code).toBe(0);
  });

  it('a HOOP_TOKEN acts as its user, administers nothing, leaves nothing behind, and can be revoked', async () => {
    const created = await cli.run(['tokens', 'create', '--user', 'root', '--ttl', '2h', '--name', 'ci', '--json']);
    const { secret, token } = json(created);
    const ci = machine({ HOOP_TOKEN: secret, HOOP_GATEWAY: gateway.url });
    expect(json(await ci.run(['whoami', '--json']))).toMatchObject({ user: 'root', via: 'token' });
    expect(await ci.run(['users', 'create', 'mallory'])).toMatchObject({ code: 4 });
    expect(readdirSync(ci.configDir)).toEqual([]);
    expect((await cli.run(['tokens', 'list'])).stdout).toMatch(/root +ci/);
    expect((await cli.run(['tokens', 'revoke', token.id])).code).toBe(0);
    const after = await ci.run(['whoami', '--json']);
    expect(after.code).toBe(4);
    expect(json(after).error).toMatchObject({ code: 'HOOP_SIGN_IN' });
  });

  it('several processes at once renew an access token that is about to end exactly once, and none is signed out', async () => {
    const [file = ''] = readdirSync(join(cli.configDir, 'tokens')).filter((name) => name.endsWith('.json'));
    const path = join(cli.configDir, 'tokens', file);
    const before = JSON.parse(readFileSync(path, 'utf8'));
    writeFileSync(path, JSON.stringify({ ...before, accessExpiresAt: Date.now() + 30_000 }));
    const results = await Promise.all(Array.from({ length: 4 }, () => cli.run(['whoami', '--json'])));
    expect(results.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
    const after = JSON.parse(readFileSync(path, 'utf8'));
    expect(after.refreshToken).not.toBe(before.refreshToken);
    expect(after.accessExpiresAt).toBeGreaterThan(Date.now() + 60_000);
    expect(readdirSync(join(cli.configDir, 'tokens'))).toEqual([file]);
  });

  it('a sign-in older than ten minutes administers nothing, says so, and exits with 4', async () => {
    gateway.clock.aheadSeconds = 601;
    try {
      const refused = await cli.run(['users', 'create', 'late', '--json'], { env: { NODE_OPTIONS: clockAhead(601) } });
      expect(refused.code).toBe(4);
      expect(json(refused).error).toMatchObject({ code: 'HOOP_FRESH_SIGN_IN', next: 'run: hoop login' });
      const wrongClock = await cli.run(['whoami']);
      expect(wrongClock).toMatchObject({ code: 4 });
      expect(wrongClock.stderr).toContain('clock');
    } finally {
      gateway.clock.aheadSeconds = 0;
    }
  });

  it('logout revokes at the gateway: a copy of the tokens made before is worthless', async () => {
    const [file = ''] = readdirSync(join(cli.configDir, 'tokens')).filter((name) => name.endsWith('.json'));
    const copy = readFileSync(join(cli.configDir, 'tokens', file), 'utf8');
    expect(await cli.run(['logout'])).toMatchObject({ code: 0 });
    expect(readdirSync(join(cli.configDir, 'tokens'))).toEqual([]);
    expect(await cli.run(['whoami'])).toMatchObject({ code: 4, stdout: '' });
    writeFileSync(join(cli.configDir, 'tokens', file), copy, { mode: 0o600 });
    const thief = await cli.run(['whoami']);
    expect(thief).toMatchObject({ code: 4, stdout: '' });
    expect(thief.stderr).toContain('hoop login');
  });
});

describe('what else can happen at sign-in', () => {
  it('a denial exits with 3 and stores nothing', async () => {
    const cli = machine();
    const result = await cli.login('alice', password, ['--gateway', gateway.url], { decision: 'deny' });
    expect(result.code).toBe(3);
    expect(result.stderr).toContain('denied');
    expect(readdirSync(join(cli.configDir, 'tokens'))).toEqual([]);
  });

  it('a second login meanwhile is told who waits', async () => {
    const cli = machine();
    const first = cli.start(['login', '--gateway', gateway.url]);
    await new Promise<void>((resolve) =>
      first.child.stderr?.on('data', (text: string) => text.includes('Page') && resolve()),
    );
    const second = await cli.run(['login', '--gateway', gateway.url]);
    expect(second.code).toBe(1);
    expect(second.stderr).toContain(`process ${first.child.pid}`);
    first.child.kill('SIGINT');
    expect(await first.result).toMatchObject({ code: 130 });
    // What the dead one left behind holds nobody up.
    const third = await cli.login('alice', password, ['--gateway', gateway.url]);
    expect(third.code).toBe(0);
  });

  it('another name of the same gateway works, and its own address is used', async () => {
    const cli = machine();
    const other = gateway.url.replace('127.0.0.1', 'localhost');
    const result = await cli.login('alice', password, ['--gateway', other]);
    expect(result.code).toBe(0);
    expect(result.stderr).toContain(`calls itself ${gateway.url}`);
    expect(await cli.run(['whoami', '--gateway', other])).toMatchObject({ code: 0 });
  });

  it('users see no administration: exit 3 with the reason', async () => {
    const cli = machine();
    await cli.login('alice', password, ['--gateway', gateway.url]);
    const refused = await cli.run(['users', 'list', '--json']);
    expect(refused.code).toBe(3);
    expect(json(refused)).toEqual({
      error: { code: 'HOOP_DENIED', message: expect.stringContaining('alice has user'), next: expect.any(String) },
    });
  });
});
