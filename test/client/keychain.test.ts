import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deletePassword, findCredentials, findPassword, getPassword, setPassword } from '../../src/client/keychain.ts';
import { Cli } from '../support/cli.ts';
import { password, startTestGateway, type TestGateway } from '../support/identity-gateway.ts';
import { keyringIsInstalled, startKeyring, type Keyring } from '../support/keyring.ts';

if (!keyringIsInstalled)
  console.warn('NOT CHECKED: tokens in a real keychain (gnome-keyring and dbus are not installed)');

describe.runIf(keyringIsInstalled)('tokens in a real Secret Service', () => {
  let gateway: TestGateway;
  let keyring: Keyring;
  let cli: Cli;

  beforeAll(async () => {
    gateway = await startTestGateway();
    await gateway.addUser('alice');
    keyring = await startKeyring();
    cli = new Cli(keyring.env);
  });
  afterAll(async () => {
    cli.remove();
    await keyring.stop();
    await gateway.close();
  });

  const settings = () => JSON.parse(readFileSync(join(cli.configDir, 'settings.json'), 'utf8'));

  it('keytar’s five functions', async () => {
    const before = process.env['DBUS_SESSION_BUS_ADDRESS'];
    Object.assign(process.env, keyring.env);
    try {
      await setPassword('hoop test', 'a', 'one');
      await setPassword('hoop test', 'b', 'two');
      expect(await getPassword('hoop test', 'a')).toBe('one');
      expect(await getPassword('hoop test', 'c')).toBeNull();
      expect(['one', 'two']).toContain(await findPassword('hoop test'));
      const byAccount = (await findCredentials('hoop test')).sort((x, y) => x.account.localeCompare(y.account));
      expect(byAccount).toEqual([
        { account: 'a', password: 'one' },
        { account: 'b', password: 'two' },
      ]);
      expect(await deletePassword('hoop test', 'a')).toBe(true);
      expect(await deletePassword('hoop test', 'a')).toBe(false);
      expect(await getPassword('hoop test', 'a')).toBeNull();
    } finally {
      if (before === undefined) delete process.env['DBUS_SESSION_BUS_ADDRESS'];
      else process.env['DBUS_SESSION_BUS_ADDRESS'] = before;
    }
  });

  it('login puts them there, says so, and leaves no file with a token', async () => {
    const result = await cli.login('alice', password, ['--gateway', gateway.url]);
    expect(result.code).toBe(0);
    expect(result.stderr).toContain('Tokens are in the keychain.');
    expect(settings()).toMatchObject({ tokenStore: 'keychain' });
    expect(readdirSync(join(cli.configDir, 'tokens'))).toEqual([]);
    const kept = execFileSync('secret-tool', ['lookup', 'service', 'hoop', 'username', gateway.url], {
      env: { ...process.env, ...keyring.env },
      encoding: 'utf8',
    });
    expect(JSON.parse(kept)).toMatchObject({ version: 1, gateway: gateway.url, refreshToken: expect.any(String) });
  });

  it('other commands read them there', async () => {
    expect(await cli.run(['whoami'])).toMatchObject({ code: 0, stderr: '' });
  });

  it('a session without the keychain gets an error, not a silent second store', async () => {
    const ssh = new Cli({}, cli.configDir);
    const result = await ssh.run(['whoami', '--json']);
    expect(result.code).toBe(1);
    expect(JSON.parse(result.stdout).error).toMatchObject({
      code: 'HOOP_KEYCHAIN',
      next: expect.stringContaining('--token-store file'),
    });
    expect(settings()).toMatchObject({ tokenStore: 'keychain' });
  });

  it('logout empties it', async () => {
    expect(await cli.run(['logout'])).toMatchObject({ code: 0 });
    expect(await cli.run(['whoami'])).toMatchObject({ code: 4 });
  });

  it('--token-store file changes the choice on purpose', async () => {
    const result = await cli.login('alice', password, ['--gateway', gateway.url, '--token-store', 'file']);
    expect(result.code).toBe(0);
    expect(settings()).toMatchObject({ tokenStore: 'file' });
    expect(existsSync(join(cli.configDir, 'tokens'))).toBe(true);
    expect(await cli.run(['whoami'])).toMatchObject({ code: 0 });
  });
});
