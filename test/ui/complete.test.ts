import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { complete, type CompletableCommand } from '../../src/ui/complete.ts';
import { Cli } from '../support/cli.ts';
import { hasProgram } from '../support/programs.ts';

const commands: CompletableCommand[] = [
  { id: 'connect', args: { resource: {} }, flags: { port: { type: 'option' }, json: { type: 'boolean' } } },
  { id: 'grants:add', args: {}, flags: { resource: { type: 'option' }, user: { type: 'option' } } },
  { id: 'grants:list', args: {}, flags: {} },
  { id: 'replay', args: { session: {} }, flags: {} },
  { id: 'resources', args: {}, flags: {} },
  { id: 'resources:show', args: { resource: {} }, flags: {} },
  { id: 'sessions', args: {}, flags: { state: { type: 'option', options: ['live', 'sealed'] } } },
  { id: 'secret', hidden: true, args: {}, flags: {} },
];
const resources = ['billing-db', 'orders-db'];

describe('what is offered', () => {
  it.each([
    [[''], ['connect', 'grants', 'replay', 'resources', 'sessions']],
    [['re'], ['replay', 'resources']],
    [
      ['grants', ''],
      ['add', 'list'],
    ],
    [
      ['connect', ''],
      ['billing-db', 'orders-db'],
    ],
    [['connect', 'orders-db', 'b'], ['billing-db']],
    [
      ['connect', '--'],
      ['--json', '--port'],
    ],
    [['connect', '--json', '--'], ['--port']],
    [['connect', '--port', ''], []],
    [['connect', 'orders-db', '--', 'p'], []],
    [['resources', ''], ['show']],
    [['resources', 'show', 'o'], ['orders-db']],
    [['grants', 'add', '--resource', 'o'], ['orders-db']],
    [
      ['sessions', '--state', ''],
      ['live', 'sealed'],
    ],
    [['replay', ''], ['last']],
    [['frob', ''], []],
  ])('%j: %j', (words, offered) => {
    expect(complete(words, commands, resources)).toEqual(offered);
  });
});

describe('in a real bash', () => {
  const cli = new Cli();
  let bin: string;
  beforeAll(() => {
    bin = mkdtempSync(join(cli.configDir, 'bin-'));
    symlinkSync(fileURLToPath(new URL('../../bin/run.js', import.meta.url)), join(bin, 'hoop'));
    const evil = '$(touch owned)';
    const known = { resources: ['orders-db', evil], ports: { 'billing-db': 50_001 } };
    writeFileSync(
      join(cli.configDir, 'settings.json'),
      JSON.stringify({ defaultGateway: 'https://g', gateways: { 'https://g': known } }),
    );
  });
  afterAll(() => {
    rmSync(bin, { recursive: true, force: true });
    cli.remove();
  });

  const pressTab = (...words: string[]) => {
    const script = `source <(hoop completion bash)
      COMP_WORDS=(hoop "$@"); COMP_CWORD=$#; _hoop; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const environment = { ...cli.environment(), PATH: `${bin}:${process.env['PATH']}` };
    const { stdout } = spawnSync('bash', ['-c', script, 'bash', ...words], {
      env: environment,
      encoding: 'utf8',
      cwd: bin,
    });
    return stdout.trim().split('\n');
  };

  it('commands, and resources that were seen, but nothing that is no name', () => {
    expect(pressTab('who')).toEqual(['whoami']);
    expect(pressTab('grants', '')).toEqual(['add', 'list', 'remove']);
    expect(pressTab('connect', '')).toEqual(['billing-db', 'orders-db']);
    expect(pressTab('replay', '--js')).toEqual(['--json']);
    expect(pressTab('users', 'create', 'ann', '--')).toContain('--role');
  });

  it('the same in a real zsh, which needs no other line in its settings', () => {
    if (!hasProgram('zsh')) return;
    const script = `source <(hoop completion zsh)
      compadd() { shift; print -rl -- "$@" }
      words=(hoop "$@"); CURRENT=$#words; _hoop`;
    const zsh = (...words: string[]) =>
      spawnSync('zsh', ['-f', '-c', script, 'zsh', ...words], {
        env: { ...cli.environment(), HOME: bin, PATH: `${bin}:${process.env['PATH']}` },
        encoding: 'utf8',
        cwd: bin,
      });
    const { stdout, stderr } = zsh('connect', '');
    expect({ stdout, stderr }).toEqual({ stdout: 'billing-db\norders-db\n', stderr: '' });
    expect(zsh('users', 'create', 'ann', '--').stdout).toContain('--role\n');
  });
});
