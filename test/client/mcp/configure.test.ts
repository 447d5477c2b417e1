import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  chmodSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { configure, configureAll, unconfigure, type ConfigureOptions } from '../../../src/client/mcp/configure.ts';
import { thirdPartyServer } from '../../../src/client/mcp/third-party.ts';
import { chosenCodingAgent } from '../../../src/client/mcp/flags.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hoop-configure-'));
  vi.stubEnv('PATH', '');
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

const options = (more: Partial<ConfigureOptions> = {}): ConfigureOptions => ({
  agent: 'cursor',
  resource: 'orders-db',
  isGlobal: false,
  isDry: false,
  flags: [],
  folder,
  program: '/opt/hoop/bin/run.js',
  ...more,
});
const cursorFile = () => join(folder, '.cursor', 'mcp.json');
const read = (path = cursorFile()) => readFileSync(path, 'utf8');
function write(text: string, path = cursorFile()): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

describe('hoop connect --cursor', () => {
  it('makes the file where there is none, with absolute paths where hoop is not on PATH', async () => {
    const { file, link } = await configure(options());
    expect(file).toBe(cursorFile());
    const entry = { command: process.execPath, args: ['/opt/hoop/bin/run.js', 'mcp', 'orders-db'] };
    expect(JSON.parse(read())).toEqual({ mcpServers: { 'orders-db': entry } });
    const url = new URL(link!);
    expect(JSON.parse(Buffer.from(url.searchParams.get('config')!, 'base64').toString())).toEqual(entry);
  });

  it('names hoop where the shell finds it, and a gateway that is not the default', async () => {
    writeFileSync(join(folder, 'hoop'), '');
    chmodSync(join(folder, 'hoop'), 0o755);
    vi.stubEnv('PATH', folder);
    const { entry } = await configure(options({ flags: ['--gateway', 'https://hoop.example.com'] }));
    expect(entry).toEqual({ command: 'hoop', args: ['mcp', 'orders-db', '--gateway', 'https://hoop.example.com'] });
  });

  it('keeps comments, other servers, their order, the line ends and the indentation; keeps the file before', async () => {
    const before =
      '{\r\n\t// ours\r\n\t"mcpServers": {\r\n\t\t"other": { "command": "x" }, // theirs\r\n\t},\r\n\t"more": [1]\r\n}\r\n';
    write(before);
    const { backup } = await configure(options());
    expect(read(backup!)).toBe(before);
    for (const kept of ['\t// ours\r\n', '"other": { "command": "x" }', '// theirs', '\t"more": [1]\r\n}\r\n'])
      expect(read()).toContain(kept);
    expect(read()).toMatch(/\r\n\t\t"orders-db": \{\r\n\t\t\t"command"/);
    expect(read().replaceAll('\r\n', '')).not.toContain('\n');
    expect(await unconfigure(options())).toMatchObject({ removed: true });
    expect(read()).not.toContain('orders-db');
    for (const kept of ['\t// ours\r\n', '"other": { "command": "x" }', '\t"more": [1]\r\n}\r\n'])
      expect(read()).toContain(kept);
  });

  it('does nothing twice, and nothing at all with --print', async () => {
    expect(await configure(options({ isDry: true }))).toMatchObject({
      changed: false,
      text: expect.stringContaining('orders-db'),
    });
    expect(() => statSync(cursorFile())).toThrow(/ENOENT/);
    await configure(options());
    expect(await configure(options())).toMatchObject({ changed: false, backup: null });
  });

  it('follows a link, and keeps the rights of the file', async () => {
    const real = join(folder, 'dotfiles.json');
    write('{}', real);
    chmodSync(real, 0o600);
    mkdirSync(dirname(cursorFile()));
    symlinkSync(real, cursorFile());
    await configure(options());
    expect(lstatSync(cursorFile()).isSymbolicLink()).toBe(true);
    expect(read(real)).toContain('orders-db');
    expect(statSync(real).mode & 0o777).toBe(0o600);
  });

  it.each([
    ['no JSON', '{ "mcpServers": ', /is not JSON: .* at line 1/],
    ['no object', '[]', /is not JSON: no object/],
    ['an entry of somebody else', '{"mcpServers":{"orders-db":{"command":"npx","args":["x"]}}}', /not hoop’s/],
  ])('changes nothing in a file with %s', async (_, text, message) => {
    write(text);
    await expect(configure(options())).rejects.toThrow(message);
    expect(read()).toBe(text);
  });

  it.each([
    ['claude-code', ['.mcp.json'], 'mcpServers'],
    ['vscode', ['.vscode', 'mcp.json'], 'servers'],
  ] as const)('knows the file of %s', async (agent, path, key) => {
    await configure(options({ agent }));
    expect(JSON.parse(read(join(folder, ...path)))[key]['orders-db']).toMatchObject({
      type: 'stdio',
      args: expect.arrayContaining(['mcp']),
    });
  });

  it('takes one coding agent at a time', () => {
    const none = { cursor: false, 'claude-code': false, vscode: false, global: false };
    expect(chosenCodingAgent(none)).toBeUndefined();
    expect(chosenCodingAgent({ ...none, vscode: true })).toBe('vscode');
    expect(() => chosenCodingAgent({ ...none, vscode: true, cursor: true })).toThrow(/one coding agent at a time/);
  });
});

describe('hoop disconnect --cursor', () => {
  it('says so when there is nothing to remove, and leaves alone what is not hoop’s', async () => {
    expect(await unconfigure(options())).toMatchObject({ removed: false, backup: null });
    const text = '{"mcpServers":{"orders-db":{"command":"npx","args":["mcp"]}}}';
    write(text);
    await expect(unconfigure(options())).rejects.toThrow(/not hoop’s/);
    expect(read()).toBe(text);
  });
});

describe('hoop connect --cursor --mcp-server', () => {
  it('lets hoop run start somebody else’s server, with the DSN in its environment and nothing in the file', async () => {
    const { entry, file } = await configure(options({ server: thirdPartyServer('dbhub', undefined) }));
    expect(entry.args.slice(1)).toEqual([
      'run',
      'orders-db',
      '--dsn-variable',
      'DSN',
      '--',
      'npx',
      '-y',
      '@bytebase/dbhub',
      '--transport',
      'stdio',
    ]);
    await configure(options());
    expect(Object.keys(JSON.parse(read(file)).mcpServers).toSorted()).toEqual(['orders-db', 'orders-db-dbhub']);
    expect(await unconfigure({ ...options(), serverName: 'dbhub' })).toMatchObject({ removed: true });
    expect(Object.keys(JSON.parse(read(file)).mcpServers)).toEqual(['orders-db']);
  });

  it('takes any other one with its command, and asks for that where it is not known', () => {
    expect(thirdPartyServer('mine', ['npx', 'mine'])).toEqual({ name: 'mine', command: ['npx', 'mine'] });
    expect(() => thirdPartyServer('mine', undefined)).toThrow(/how the server mine is started is not known/);
    expect(() => thirdPartyServer('a b', ['x'])).toThrow(/no name/);
    expect(() => thirdPartyServer('constructor', undefined)).toThrow(/not known/);
  });

  it('--print of several shows the file with all of them', async () => {
    const place = { agent: 'cursor', root: '/opt/hoop', folder, global: false, print: true } as const;
    const shown = await configureAll(['orders-db', 'cache'], place);
    expect(Object.keys(JSON.parse(shown.at(-1)!.text).mcpServers).toSorted()).toEqual(['cache', 'orders-db']);
  });
});
