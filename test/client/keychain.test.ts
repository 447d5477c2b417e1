import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { compile, type Compiled } from '../support/compiled.ts';
import { run, type Ran } from '../support/run.ts';

const onPath = (program: string) =>
  (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)));
const hasSecretService = onPath('dbus-run-session') && onPath('gnome-keyring-daemon');
if (!hasSecretService)
  process.stderr.write('NOT CHECKED: no gnome-keyring on this machine; tokens in a real keychain are not tested\n');

let compiled: Compiled;
let folder: string;
beforeAll(() => {
  compiled = compile(['src/client', 'src/shared', 'src/tunnel']);
});
afterAll(() => compiled.remove());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hoop-keychain-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const gateway = 'https://hoop.example.com';
const stored = {
  version: 1,
  gateway,
  refreshToken: 'refresh-secret',
  accessToken: 'access-secret',
  accessExpiresAt: 1,
  key: { kty: 'EC', crv: 'P-256', x: 'x', y: 'y', d: 'private-secret' },
};

/** A program that uses the token store; what `said` and `result` are it prints as JSON. */
const program = (body: string) => `
  const { chooseTokenStore, openTokenStore } = await import(${JSON.stringify(`${compiled.url}src/client/token-store.js`)});
  const keychain = await import(${JSON.stringify(`${compiled.url}src/client/keychain.js`)});
  const stored = ${JSON.stringify(stored)};
  const said = [];
  let result;
  try { ${body} } catch (error) { result = { code: error.code, message: error.message }; }
  process.stdout.write(JSON.stringify({ said, result }));
  process.exit();`;

const environment = () => ({
  HOME: folder,
  XDG_RUNTIME_DIR: folder,
  XDG_DATA_HOME: join(folder, 'share'),
  XDG_CONFIG_HOME: '',
  HOOP_CONFIG_DIR: join(folder, 'hoop'),
});
const parsed = ({ code, stdout, stderr }: Ran) => {
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as { said: string[]; result: never };
};

/** On a machine without a keychain: no session bus. */
const headless = async (body: string) =>
  parsed(
    await run(process.execPath, ['--input-type=module', '--eval', program(body)], {
      env: { ...environment(), DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nonexistent' },
    }),
  );

/** On a desktop: a bus of its own with an unlocked gnome-keyring. */
const desktop = async (body: string) => {
  const script =
    'printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1; exec "$0" --input-type=module --eval "$1"';
  return parsed(
    await run('dbus-run-session', ['--', 'bash', '-c', script, process.execPath, program(body)], {
      env: environment(),
    }),
  );
};

describe('without a keychain', () => {
  test('tokens go to a file, which is said once, and stay there', async () => {
    const first = await headless(`
      const store = await chooseTokenStore((line) => said.push(line));
      await store.write(stored);
      result = [store.kind, await (await openTokenStore()).read(stored.gateway)];`);
    expect(first.result).toEqual(['file', stored]);
    expect(first.said.join('\n')).toMatch(
      /^No keychain here \(.+\)\.\nTokens are kept in .+tokens, which only this user/,
    );
    const again = await headless(`
      const store = await chooseTokenStore((line) => said.push(line));
      result = store.kind;`);
    expect(again).toEqual({ said: [], result: 'file' });
  });

  test('who wants one is told why not', async () => {
    const { result } = await headless(`await chooseTokenStore((line) => said.push(line), 'keychain');`);
    expect(result).toMatchObject({ code: 'HOOP_KEYCHAIN' });
  });
});

describe.runIf(hasSecretService)('with a keychain', () => {
  test('tokens and key are in it and in no file; the choice is recorded', async () => {
    const { said, result } = await desktop(`
      const store = await chooseTokenStore((line) => said.push(line));
      await store.write(stored);
      const read = await (await openTokenStore()).read(stored.gateway);
      const found = await keychain.findCredentials('hoop');
      await store.remove(stored.gateway);
      result = [store.kind, read, found.length, await store.read(stored.gateway) ?? null, await keychain.findPassword('hoop')];`);
    expect(result).toEqual(['keychain', stored, 1, null, null]);
    expect(said).toEqual([]);
    expect(readFileSync(join(folder, 'hoop', 'settings.json'), 'utf8')).toContain('"keychain"');
    const files = readdirSync(join(folder, 'hoop'), { recursive: true, encoding: 'utf8' });
    expect(files).toEqual(['settings.json']);
  });

  test('that has gone away is an error, never a silent file', async () => {
    await desktop(`await (await chooseTokenStore((line) => said.push(line))).write(stored);`);
    const { said, result } = await headless(`
      const store = await chooseTokenStore((line) => said.push(line));
      await store.write(stored);`);
    expect(result).toMatchObject({ code: 'HOOP_KEYCHAIN' });
    expect(said).toEqual([]);
    expect(readdirSync(join(folder, 'hoop'))).toEqual(['settings.json']);
  });

  test('moving to a file is a choice of the user’s', async () => {
    await desktop(`await chooseTokenStore((line) => said.push(line));`);
    const { result } = await headless(`result = (await chooseTokenStore((line) => said.push(line), 'file')).kind;`);
    expect(result).toBe('file');
  });
});
