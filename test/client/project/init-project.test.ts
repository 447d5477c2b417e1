import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { chosenResources } from '../../../src/client/project/chosen-resources.ts';
import { initProject, type InitOptions } from '../../../src/client/project/init-project.ts';
import { chooseGateway } from '../../../src/client/gateway-url.ts';
import { readSettings } from '../../../src/client/settings.ts';

const gateway = 'https://hoop.example.com';
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hoop-init-'));
  vi.stubEnv('HOOP_CONFIG_DIR', join(folder, 'settings'));
  vi.stubEnv('HOOP_GATEWAY', '');
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

const options = (more: Partial<InitOptions> = {}): InitOptions => ({
  folder,
  resources: ['orders-db', 'cache'],
  gateway,
  isDry: false,
  root: '/opt/hoop',
  ask: undefined,
  chooseGateway,
  reachable: async () => ['billing-db'],
  ...more,
});
const states = async (more: Partial<InitOptions> = {}) =>
  (await initProject(options(more))).files.map(({ state }) => state);
const read = (...path: string[]) => readFileSync(join(folder, ...path), 'utf8');
function write(text: string, ...path: string[]): void {
  mkdirSync(dirname(join(folder, ...path)), { recursive: true });
  writeFileSync(join(folder, ...path), text);
}
const project = (text: object = { version: 1, gateway, resources: ['orders-db'] }) =>
  write(JSON.stringify(text), '.hoop.json');

describe('hoop init', () => {
  it('writes what connect, Cursor and its coding agent need, once', async () => {
    expect(await states()).toEqual(['written', 'written', 'written']);
    expect(JSON.parse(read('.hoop.json'))).toEqual({ version: 1, gateway, resources: ['orders-db', 'cache'] });
    const { mcpServers } = JSON.parse(read('.cursor', 'mcp.json'));
    expect(Object.keys(mcpServers).toSorted()).toEqual(['cache', 'orders-db']);
    expect(mcpServers.cache.args.slice(-4)).toEqual(['mcp', 'cache', '--gateway', gateway]);
    expect(read('.cursor', 'rules', 'hoop.mdc')).toMatch(/^---\n[^]*alwaysApply: true\n---\n[^]*`orders-db`, `cache`/);
    expect(await states()).toEqual(['same', 'same', 'same']);
    expect(await states({ resources: [] })).toEqual(['same', 'same', 'same']);
  });

  it('--print shows the files with all entries, and writes nothing', async () => {
    const { files } = await initProject(options({ isDry: true }));
    expect(files.map(({ state }) => state)).toEqual(Array(3).fill('would be written'));
    expect(Object.keys(JSON.parse(files[1]!.text).mcpServers).toSorted()).toEqual(['cache', 'orders-db']);
    expect(existsSync(join(folder, '.cursor'))).toBe(false);
  });

  it('takes all that the user may reach where nothing is named', async () => {
    expect((await initProject(options({ resources: [] }))).resources).toEqual(['billing-db']);
  });

  it('leaves what is somebody’s own: a rule of theirs, a .hoop.json that says otherwise, an entry that is not hoop’s', async () => {
    write('mine', '.cursor', 'rules', 'hoop.mdc');
    expect(await states()).toEqual(['written', 'written', 'kept']);
    expect(read('.cursor', 'rules', 'hoop.mdc')).toBe('mine');
    const before = read('.hoop.json');
    await expect(initProject(options({ resources: ['other-db'] }))).rejects.toThrow(/says otherwise/);
    await expect(initProject(options({ gateway: 'https://other.example.com' }))).rejects.toThrow(/says otherwise/);
    expect(read('.hoop.json')).toBe(before);
    rmSync(join(folder, '.hoop.json'));
    write('{"mcpServers":{"cache":{"command":"npx","args":["x"]}}}', '.cursor', 'mcp.json');
    await expect(initProject(options())).rejects.toThrow(/not hoop’s/);
    expect(existsSync(join(folder, '.hoop.json'))).toBe(false);
    expect(read('.cursor', 'mcp.json')).not.toContain('orders-db');
  });

  it('a gateway that only the repository names is asked about before Cursor is told to use it', async () => {
    project();
    await expect(initProject(options({ gateway: undefined, resources: [] }))).rejects.toMatchObject({
      code: 'HOOP_SIGN_IN',
    });
    expect(existsSync(join(folder, '.cursor'))).toBe(false);
  });
});

describe('hoop connect without a name', () => {
  const choose = (ask?: (question: string) => Promise<string>, at = folder) =>
    chosenResources([], undefined, { folder: at, ask });

  it('refuses a gateway that this user never signed in at, with the command that confirms it', async () => {
    project();
    await expect(choose()).rejects.toMatchObject({
      code: 'HOOP_SIGN_IN',
      message: expect.stringContaining('nothing was sent'),
      next: `if you trust it, run: hoop login --gateway ${gateway}`,
    });
  });

  it('asks at a terminal: only yes is yes, and it is asked once', async () => {
    project();
    for (const answer of ['', 'n', 'yes, why not'])
      await expect(choose(async () => answer)).rejects.toMatchObject({ code: 'HOOP_SIGN_IN' });
    expect((await readSettings()).gateways).toEqual({});
    const ask = vi.fn(async () => 'y');
    expect(await choose(ask)).toEqual({ resources: ['orders-db'], gateway });
    expect(ask).toHaveBeenCalledWith(expect.stringContaining(gateway));
    expect(await choose()).toEqual({ resources: ['orders-db'], gateway });
  });

  it('a gateway that the command line names needs no question; named resources need no file', async () => {
    project();
    const other = 'https://other.example.com';
    const at = { folder, ask: undefined };
    expect(await chosenResources([], other, at)).toEqual({ resources: ['orders-db'], gateway: other });
    expect(await chosenResources(['x'], undefined, at)).toEqual({ resources: ['x'], gateway: undefined });
  });

  it('looks up to the repository’s own folder, and no further', async () => {
    project();
    const inside = join(folder, 'a', 'b');
    mkdirSync(inside, { recursive: true });
    expect(await choose(async () => 'y', inside)).toMatchObject({ resources: ['orders-db'] });
    mkdirSync(join(folder, 'a', '.git'));
    await expect(choose(undefined, inside)).rejects.toThrow(/no resource is named/);
  });

  it.each([
    ['no JSON', '{', /is not JSON/],
    ['a flag for a name', { version: 1, gateway, resources: ['--gateway'] }, /resources\.0/],
    ['a key that nobody knows', { version: 1, gateway, resources: ['a'], token: 'x' }, /token/],
    ['no encryption', { version: 1, gateway: 'http://hoop.example.com', resources: ['a'] }, /not encrypted/],
  ])('a .hoop.json with %s is refused', async (_, text, message) => {
    write(typeof text === 'string' ? text : JSON.stringify(text), '.hoop.json');
    await expect(choose(async () => 'y')).rejects.toThrow(message);
  });
});
