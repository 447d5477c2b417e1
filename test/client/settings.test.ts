import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
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
const before = { ...process.env };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hoop-settings-'));
  process.env['HOOP_CONFIG_DIR'] = folder;
  delete process.env['HOOP_GATEWAY'];
});
afterEach(() => {
  process.env = { ...before };
  rmSync(folder, { recursive: true, force: true });
});

describe('where settings lie', () => {
  it.each([
    [{ HOOP_CONFIG_DIR: '/a', XDG_CONFIG_HOME: '/b' }, '/a'],
    [{ XDG_CONFIG_HOME: '/b' }, '/b/hoop'],
  ])('%j', (environment, path) => {
    expect(configDir(environment)).toBe(path);
  });

  it('a relative XDG_CONFIG_HOME is not believed', () => {
    expect(configDir({ XDG_CONFIG_HOME: 'here' })).toMatch(/\.config\/hoop$/);
  });
});

describe('settings', () => {
  it('are readable by their user only, and no half-written file is left', async () => {
    await rememberPort('https://g', 'orders-db', 50_001);
    expect(statSync(join(folder, 'settings.json')).mode & 0o777).toBe(0o600);
    expect(await rememberedPort('https://g', 'orders-db')).toBe(50_001);
    expect(readdirSync(folder)).toEqual(['settings.json']);
  });

  it('lose nothing when many change them at once', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, index) => rememberPort('https://g', `r${index}`, 50_000 + index)));
    expect(Object.keys((await readSettings()).gateways['https://g']?.ports ?? {})).toHaveLength(20);
  });

  it.each([
    ['{', '(top level)'],
    ['{"tokenStore":"clipboard"}', 'tokenStore'],
    ['{"gateways":{"https://g":{"ports":{"a":0}}}}', 'gateways.https://g.ports.a'],
  ])('%s is an error that names the file and the key', async (text, key) => {
    writeFileSync(join(folder, 'settings.json'), text);
    await expect(readSettings()).rejects.toMatchObject({
      code: 'HOOP_CONFIG',
      message: expect.stringContaining(`settings.json: ${key}:`),
    });
    expect(readFileSync(join(folder, 'settings.json'), 'utf8')).toBe(text);
  });
});

describe('which gateway', () => {
  it('the flag wins over HOOP_GATEWAY, that over the last login', async () => {
    await expect(chooseGateway(undefined)).rejects.toMatchObject({ code: 'HOOP_SIGN_IN' });
    await updateSettings((settings) => {
      settings.defaultGateway = 'https://last';
    });
    expect(await chooseGateway(undefined)).toBe('https://last');
    process.env['HOOP_GATEWAY'] = 'https://environment/';
    expect(await chooseGateway(undefined)).toBe('https://environment');
    expect(await chooseGateway('https://flag')).toBe('https://flag');
  });

  it('an alias means the gateway’s own address', async () => {
    await updateSettings((settings) => {
      gatewaySettings(settings, 'https://own').aliases.push('https://other:8443');
    });
    expect(await chooseGateway('https://other:8443/')).toBe('https://own');
  });

  it.each(['http://hoop.example.com', 'http://127.0.0.1.example.com', 'http://10.0.0.1:8009'])(
    '%s is refused: not encrypted, and not on this machine',
    (address) => {
      expect(() => normaliseGateway(address)).toThrow('not encrypted');
    },
  );

  it.each(['', 'hoop.example.com', 'ftp://a', 'file:///etc', 'https://user:secret@a'])(
    '%j is no address',
    (address) => {
      expect(() => normaliseGateway(address)).toThrow('is not a gateway’s address');
    },
  );

  it.each([
    ['http://127.0.0.1:8009/', 'http://127.0.0.1:8009'],
    ['http://localhost:8009/oidc?x', 'http://localhost:8009'],
    ['http://[::1]:8009', 'http://[::1]:8009'],
    ['HTTPS://Hoop.Example.com:443', 'https://hoop.example.com'],
  ])('%s is %s', (address, shown) => {
    expect(normaliseGateway(address)).toBe(shown);
  });
});
