import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readGatewayConfig } from '../../src/gateway/config.ts';

const folder = mkdtempSync(join(tmpdir(), 'hoop-gateway-config-'));
const file = join(folder, 'hoop.yaml');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const read = (flags: Record<string, unknown>, yaml = '', environment: NodeJS.ProcessEnv = {}) => {
  writeFileSync(file, yaml);
  return readGatewayConfig(flags, { file, environment });
};

test('flags win over variables, those over the file, that over the default', async () => {
  const yaml = 'listen: 127.0.0.1:1\ndataDir: ./from-file\nlogLevel: warn\n';
  const environment = { HOOP_GATEWAY_LISTEN: '127.0.0.1:2', HOOP_GATEWAY_DATA_DIR: './from-environment' };
  expect(await read({ listen: '127.0.0.1:3', dataDir: undefined }, yaml, environment)).toEqual({
    listen: '127.0.0.1:3',
    dataDir: resolve('./from-environment'),
    logLevel: 'warn',
    behindProxy: false,
    messageBytesMax: 64 * 1024 * 1024,
    localUsers: true,
    deviceFlow: true,
    verificationUriComplete: true,
  });
});

describe('the company’s provider', () => {
  const yaml = 'oidc: { issuer: "https://login.corp.example", clientId: hoop, groupsClaim: groups }\n';

  test('has its secret in a variable, the rest in the file; lists are words', async () => {
    const environment = {
      HOOP_GATEWAY_OIDC_CLIENT_SECRET: 'a secret',
      HOOP_GATEWAY_OIDC_SCOPES: 'openid email',
      HOOP_GATEWAY_OIDC_ADMIN_GROUPS: 'Platform Admins, root',
      HOOP_GATEWAY_OIDC_ALLOWED_DOMAINS: 'Corp.Example',
      HOOP_GATEWAY_LOCAL_USERS: 'false',
    };
    expect(await read({}, yaml, environment)).toMatchObject({
      localUsers: false,
      oidc: {
        issuer: 'https://login.corp.example',
        clientSecret: 'a secret',
        scopes: ['openid', 'email'],
        adminGroups: ['Platform Admins', 'root'],
        allowedDomains: ['corp.example'],
        requireVerifiedEmail: true,
      },
    });
  });

  test.each([
    ['issuer: "http://login.corp.example"', 'must be https'],
    ['issuer: "http://127.evil.example"', 'must be https'],
    ['issuer: "https://a.example", surprise: 1', 'surprise'],
  ])('is refused with %s', async (faulty, message) => {
    const text = `oidc: { ${faulty}, clientId: a, clientSecret: b }`;
    await expect(read({}, text)).rejects.toMatchObject({ message: expect.stringContaining(message) });
  });

  test('or local users must be able to administer', async () => {
    const without = `${yaml}localUsers: false\n`;
    const environment = { HOOP_GATEWAY_OIDC_CLIENT_SECRET: 'a secret' };
    await expect(read({}, without, environment)).rejects.toMatchObject({
      next: expect.stringContaining('adminGroups'),
    });
  });
});

describe('a fault names the key and where it stands', () => {
  test.each([
    ['hoop.yaml', 'listen: nowhere', {}, 'hoop.yaml: listen: must be host:port'],
    ['hoop.yaml', 'listne: 127.0.0.1:1', {}, 'hoop.yaml: (top level): Unrecognized key: "listne"'],
    ['hoop.yaml', 'listen: "127', {}, 'hoop.yaml:1: not valid YAML'],
    ['a variable', '', { HOOP_GATEWAY_LOG_LEVEL: 'loud' }, 'environment (HOOP_GATEWAY_…): logLevel'],
    ['a variable', '', { HOOP_GATEWAY_BEHIND_PROXY: 'perhaps' }, 'environment (HOOP_GATEWAY_…): behindProxy'],
  ])('%s: %j %j', async (_where, yaml, environment, message) => {
    await expect(read({}, yaml, environment)).rejects.toMatchObject({
      code: 'HOOP_CONFIG',
      message: expect.stringContaining(message),
    });
  });

  test('a flag', async () => {
    await expect(read({ messageBytesMax: 1 })).rejects.toMatchObject({
      message: expect.stringContaining('command line: messageBytesMax'),
    });
  });
});

describe('plain HTTP', () => {
  test.each(['127.0.0.1:0', '[::1]:0', 'localhost:0'])('is served on loopback: %s', async (listen) => {
    expect(await read({ listen })).toMatchObject({ listen });
  });

  test.each(['0.0.0.0:80', '[::]:80', '10.0.0.7:80', '127.evil.example:80'])(
    'leaves the machine only behind a proxy: %s',
    async (listen) => {
      await expect(read({ listen })).rejects.toMatchObject({
        code: 'HOOP_CONFIG',
        next: expect.stringContaining('--tls-cert'),
      });
      expect(await read({ listen, behindProxy: true })).toMatchObject({ behindProxy: true });
      expect(await read({ listen, tlsCert: 'cert.pem', tlsKey: 'key.pem' })).toMatchObject({ tlsCert: 'cert.pem' });
    },
  );

  test('half of a certificate is none', async () => {
    await expect(read({ tlsCert: 'cert.pem' })).rejects.toMatchObject({
      message: 'tlsCert and tlsKey belong together',
    });
  });
});
