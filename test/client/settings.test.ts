import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { configDir } from '../../src/client/config-dir.ts';
import { chooseGateway, normaliseGateway } from '../../src/client/gateway-url.ts';
import {
  gatewaySettings,
  readSettings,
  rememberedPort,
  rememberPort,
  updateSettings,
} from '../../src/client/settings.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hoop-settings-'));
  vi.stubEnv('HOOP_CONFIG_DIR', folder);
  vi.stubEnv('HOOP_GATEWAY', undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});
const file = () => join(folder, 'settings.json');

describe('settings', () => {
  test('are empty where there are none, and private once written, whatever the umask', async () => {
    expect(await readSettings()).toEqual({ version: 1, gateways: {} });
    const before = process.umask(0);
    try {
      await updateSettings((settings) => void (settings.tokenStore = 'file'));
    } finally {
      process.umask(before);
    }
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    expect(await readSettings()).toMatchObject({ tokenStore: 'file' });
    expect(readdirSync(folder)).toEqual(['settings.json']);
  });

  test('changes made at the same time are all kept', async () => {
    await Promise.all(
      Array.from({ length: 12 }, (_, index) => rememberPort('https://hoop.example.com', `db-${index}`, 5000 + index)),
    );
    expect(await rememberedPort('https://hoop.example.com', 'db-0')).toBe(5000);
    expect(await rememberedPort('https://hoop.example.com', 'db-11')).toBe(5011);
    expect(await rememberedPort('https://other.example.com', 'db-0')).toBeUndefined();
  });

  test.each([
    ['no JSON', '{ "version": 1,', '(top level)'],
    ['a port that is none', '{"gateways":{"https://g":{"ports":{"db":99999}}}}', 'gateways.https://g.ports.db'],
    ['a token store that is none', '{"tokenStore":"paper"}', 'tokenStore'],
  ])('%s in it is named with its place, and the file is left as it is', async (_what, text, key) => {
    writeFileSync(file(), text);
    await expect(updateSettings(() => undefined)).rejects.toMatchObject({
      code: 'HOOP_CONFIG',
      message: expect.stringContaining(`${file()}: ${key}: `),
    });
    expect(readFileSync(file(), 'utf8')).toBe(text);
  });

  test('a change that fails leaves the old text and no debris', async () => {
    await rememberPort('https://g', 'db', 5000);
    const failing = updateSettings(() => {
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await rememberedPort('https://g', 'db')).toBe(5000);
    expect(readdirSync(folder)).toEqual(['settings.json']);
  });
});

describe('where they lie', () => {
  test.each([
    [{ HOOP_CONFIG_DIR: '/own', XDG_CONFIG_HOME: '/xdg' }, /^\/own$/],
    [{ XDG_CONFIG_HOME: '/xdg' }, /^\/xdg\/hoop$/],
    [{ XDG_CONFIG_HOME: 'relative' }, /\/\.config\/hoop$/],
    [{}, /\/\.config\/hoop$/],
  ])('%j', (environment, expected) => {
    expect(configDir(environment)).toMatch(expected);
  });
});

describe('which gateway', () => {
  test('the flag, else HOOP_GATEWAY, else the one of the last sign-in, else a next step', async () => {
    await expect(chooseGateway(undefined)).rejects.toMatchObject({
      code: 'HOOP_SIGN_IN',
      next: 'run: hoop login --gateway URL',
    });
    await updateSettings((settings) => void (settings.defaultGateway = 'https://last.example.com'));
    expect(await chooseGateway(undefined)).toBe('https://last.example.com');
    vi.stubEnv('HOOP_GATEWAY', 'https://environment.example.com/');
    expect(await chooseGateway(undefined)).toBe('https://environment.example.com');
    expect(await chooseGateway('https://flag.example.com:8443')).toBe('https://flag.example.com:8443');
  });

  test('an alias stands for the gateway’s own address', async () => {
    await updateSettings((settings) => {
      gatewaySettings(settings, 'https://hoop.example.com').aliases.push('https://10.0.0.7:8443');
    });
    expect(await chooseGateway('https://10.0.0.7:8443')).toBe('https://hoop.example.com');
  });

  test.each([
    'http://hoop.example.com',
    'http://127.0.0.1.example.com',
    'http://10.0.0.7:8009',
    'ftp://hoop.example.com',
    'https://user:secret@hoop.example.com',
    'hoop.example.com:8009',
    '',
  ])('%j is refused before anything is sent', (address) => {
    expect(() => normaliseGateway(address)).toThrow(expect.objectContaining({ code: 'HOOP_USAGE' }));
  });

  test.each([
    ['http://127.0.0.1:8009/', 'http://127.0.0.1:8009'],
    ['http://[::1]:8009', 'http://[::1]:8009'],
    ['http://localhost:8009', 'http://localhost:8009'],
    ['HTTPS://Hoop.Example.com/setup?x', 'https://hoop.example.com'],
  ])('%s is %s', (address, gateway) => {
    expect(normaliseGateway(address)).toBe(gateway);
  });

  test.each([
    'https://user:hunter2secret@hoop.example.com',
    'user:hunter2secret@hoop',
    'https://u:hunter2secret@h:99999',
  ])('a refused address is not repeated with the password in it: %s', (address) => {
    expect(() => normaliseGateway(address)).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('hunter2secret') }),
    );
  });
});
