import { spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { version } from '../../src/shared/version.ts';
import { Cli } from '../support/cli.ts';

const cli = new Cli();
afterAll(() => cli.remove());
const error = (stdout: string) => JSON.parse(stdout).error;

it.each(['--version', '--help', 'sessions --help'])('hoop %s is quiet when its reader has gone', (words) => {
  const entry = fileURLToPath(new URL('../../bin/run.js', import.meta.url));
  const { stderr } = spawnSync('sh', ['-c', `'${process.execPath}' '${entry}' ${words} | true`], { encoding: 'utf8' });
  expect(stderr).toBe('');
});

it('a clone that is not built says so', () => {
  const clone = mkdtempSync(join(tmpdir(), 'hoop-clone-'));
  onTestFinished(() => rmSync(clone, { recursive: true }));
  cpSync(new URL('../../bin', import.meta.url), join(clone, 'bin'), { recursive: true });
  const { status, stderr } = spawnSync(process.execPath, [join(clone, 'bin/run.js'), 'sessions'], { encoding: 'utf8' });
  expect(stderr).toBe(`hoop: ${realpathSync(clone)} is not built yet\n      run: npm run build\n`);
  expect(status).toBe(1);
});

describe('exit codes are the same with and without --json', () => {
  const cases: [what: string, args: string[], exit: number, code: string, says: string][] = [
    ['an unknown command', ['frobnicate'], 2, 'HOOP_USAGE', 'frobnicate'],
    ['an unknown command of a topic', ['users', 'frob'], 2, 'HOOP_USAGE', 'there is no command hoop users frob'],
    ['an unknown flag', ['whoami', '--frob'], 2, 'HOOP_USAGE', 'Nonexistent flag: --frob'],
    ['a missing argument', ['replay'], 2, 'HOOP_USAGE', 'missing: session (id, a unique beginning of one, or last)'],
    ['a missing argument beside lists', ['users', 'create'], 2, 'HOOP_USAGE', 'missing: name (name of the user)'],
    ['a number out of range', ['connect', 'a', '--port', '99999'], 2, 'HOOP_USAGE', '--port: Expected an integer'],
    ['a flag before the command', ['--gateway', 'https://g', 'whoami'], 2, 'HOOP_USAGE', 'flags follow the command'],
    ['a flag that another one needs', ['users', 'create', 'a', '--setup-code', 'x'], 2, 'HOOP_USAGE', 'password-stdin'],
    ['two flags of which one is wanted', ['grants', 'add', '--resource', 'r'], 2, 'HOOP_USAGE', 'user'],
    ['a time that is none', ['sessions', '--since', 'once', '--gateway', 'https://g'], 2, 'HOOP_USAGE', '--since'],
    ['an address that is none', ['whoami', '--gateway', 'nonsense'], 2, 'HOOP_USAGE', 'nonsense'],
    ['no gateway yet', ['whoami'], 4, 'HOOP_SIGN_IN', 'no gateway is known'],
    ['no sign-in yet', ['whoami', '--gateway', 'http://127.0.0.1:9'], 4, 'HOOP_SIGN_IN', 'not signed in'],
    [
      'a CA file that is not there',
      ['login', '--gateway', 'https://127.0.0.1:9', '--ca-file', '/nowhere'],
      2,
      'HOOP_CONFIG',
      '/nowhere',
    ],
  ];
  it.each(cases)('%s', async (_what, args, exit, code, says) => {
    const plain = await cli.run(args);
    expect(plain).toMatchObject({ code: exit, stdout: '' });
    expect(plain.stderr).toMatch(/^hoop: .*\[HOOP_[A-Z_]+\]\n {6}\S/m);
    expect(plain.stderr).toContain(says);
    expect(plain.stderr).not.toContain('    at ');
    const withJson = await cli.run([...args, '--json']);
    expect(withJson.code).toBe(exit);
    expect(error(withJson.stdout)).toMatchObject({
      code,
      message: expect.stringContaining(says),
      next: expect.any(String),
    });
  });
});

it('a data directory that cannot be made names the key, and is nobody’s bug', async () => {
  const { code, stderr } = await cli.run(['gateway', 'start', '--data-dir', '/dev/null/gw']);
  expect(code).toBe(2);
  expect(stderr).toMatch(/dataDir: \/dev\/null\/gw cannot be made: .*\[HOOP_CONFIG\]\n.*--data-dir/);
});

describe('a gateway that is not there', () => {
  let port: number;
  beforeAll(async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.address() as { port: number }).port;
    await new Promise((resolve) => server.close(resolve));
  });

  it.each([[['login']], [['whoami', '--token']]])('%j exits with 5 and says what to do', async ([command, token]) => {
    const env: Record<string, string> = token ? { HOOP_TOKEN: 'hoop_x' } : {};
    const result = await cli.run([command ?? '', '--gateway', `http://127.0.0.1:${port}`], { env });
    expect(result.code).toBe(5);
    expect(result.stderr).toContain(`the gateway at http://127.0.0.1:${port} cannot be reached`);
    expect(result.stderr).toContain('hoop gateway start');
    expect(result.stderr).not.toContain('hoop_x');
  });

  it('something else that answers there is not taken for one', async () => {
    const server = createServer((socket) => socket.resume().end('SSH-2.0-OpenSSH_9.2\r\n'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
    try {
      expect(await cli.run(['login', '--gateway', address])).toMatchObject({ code: 5, stdout: '' });
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });
});

describe('as programs use it', () => {
  it('--version', async () => {
    expect(await cli.run(['--version'])).toMatchObject({ code: 0, stdout: expect.stringMatching(`^hoop/${version} `) });
    const { version: packaged } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    expect(packaged).toBe(version);
  });

  it('hoop help COMMAND is hoop COMMAND --help', async () => {
    const { code, stdout } = await cli.run(['help', 'grants', 'add']);
    expect(code).toBe(0);
    expect(stdout).toBe((await cli.run(['grants', 'add', '--help'])).stdout);
  });

  it('every command has a summary and examples', () => {
    const manifest = JSON.parse(readFileSync(new URL('../../oclif.manifest.json', import.meta.url), 'utf8'));
    const own = Object.values<{ id: string; summary?: string; examples?: string[]; pluginName?: string }>(
      manifest.commands,
    ).filter(({ pluginName }) => pluginName === 'hoop');
    expect(own.length).toBeGreaterThan(20);
    expect(own.filter(({ summary, examples }) => !summary || !examples?.length).map(({ id }) => id)).toEqual([]);
  });

  it('the manifest in the tree is that of the commands', () => {
    const manifest = JSON.parse(readFileSync(new URL('../../oclif.manifest.json', import.meta.url), 'utf8'));
    const fresh = spawnSync(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `
      import { Config } from '@oclif/core';
      const config = await Config.load({ root: process.cwd(), ignoreManifest: true });
      console.log(JSON.stringify(config.commands.filter((c) => c.pluginName === 'hoop').map((c) => [c.id, Object.keys(c.flags).sort()])));
    `,
      ],
      { cwd: fileURLToPath(new URL('../..', import.meta.url)), encoding: 'utf8' },
    );
    const inTree = Object.values<{ id: string; flags: object; pluginName: string }>(manifest.commands)
      .filter(({ pluginName }) => pluginName === 'hoop')
      .map(({ id, flags }) => [id, Object.keys(flags).sort()]);
    const byId = (a: unknown[], b: unknown[]) => String(a[0]).localeCompare(String(b[0]));
    expect(inTree.sort(byId)).toEqual((JSON.parse(fresh.stdout) as unknown[][]).sort(byId));
  });

  it('a bug of ours shows its stack only on demand', async () => {
    const env = { NODE_OPTIONS: '--import data:text/javascript,URL.canParse=()=>{throw%20new%20TypeError("broken")}' };
    const args = ['whoami', '--gateway', 'https://g'];
    const quiet = await cli.run(args, { env });
    expect(quiet.code).toBe(1);
    expect(quiet.stderr).toMatch(/^hoop: hoop itself failed: .*\[HOOP_INTERNAL\]/m);
    expect(quiet.stderr).not.toContain('    at ');
    const debug = await cli.run(args, { env: { ...env, HOOP_DEBUG: '1' } });
    expect(debug.stderr).toContain('    at ');
  });

  it('a reader that has enough is no error', async () => {
    const entry = fileURLToPath(new URL('../../bin/run.js', import.meta.url));
    const child = spawn('bash', ['-c', `node ${entry} --help | head -1; echo "\${PIPESTATUS[0]}"`], {
      env: cli.environment(),
    });
    let out = '';
    let complaints = '';
    child.stdout.on('data', (text: Buffer) => (out += text.toString()));
    child.stderr.on('data', (text: Buffer) => (complaints += text.toString()));
    await new Promise((resolve) => child.once('close', resolve));
    expect(out.trim().split('\n').at(-1)).toBe('0');
    expect(complaints).toBe('');
  });

  it('no colour where nobody can see it, nor with NO_COLOR', async () => {
    const { stdout, stderr } = await cli.run(['--help'], { env: { NO_COLOR: '1', FORCE_COLOR: '' } });
    expect(stdout + stderr).not.toContain('\u001B[');
  });
});
