import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Cli } from '../support/cli.ts';
import { password, startTestGateway, type TestGateway } from '../support/identity-gateway.ts';
import { hasProgram } from '../support/programs.ts';
import { exampleSession, exampleStatements } from '../support/example-session.ts';
import { until } from '../support/until.ts';

const entry = fileURLToPath(new URL('../../bin/run.js', import.meta.url));
const cli = new Cli();
let gateway: TestGateway;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hoop-tmux-'));
  gateway = await startTestGateway();
  await gateway.addUser('alice');
  gateway.sessions.push(exampleSession);
  gateway.statements.set(exampleSession.id, exampleStatements);
  await cli.login('alice', password, ['--gateway', gateway.url]);
});
afterAll(async () => {
  cli.remove();
  await gateway.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Of each terminal its own: a server that was told to end may still be there for a moment. */
let sockets = 0;
const tmux = (...args: string[]): string =>
  execFileSync('tmux', ['-S', join(folder, `socket-${sockets}`), '-f', '/dev/null', ...args], { encoding: 'utf8' });

/** A terminal of that size in which the real command runs. */
function terminal(
  columns: number,
  rows: number,
  env: Record<string, string> = {},
  args = '--play',
  command = 'replay 7k3m9',
) {
  sockets++;
  const given = { ...cli.environment(), ...env };
  const variables = Object.entries(given).map(
    ([name, value]) => `export ${name}='${value.replaceAll("'", String.raw`'\''`)}'`,
  );
  const script = join(folder, 'run.sh');
  const line = `'${process.execPath}' '${entry}' ${command} ${args}; echo "left with $?"; sleep 60`;
  writeFileSync(script, [...variables, line].join('\n'));
  tmux('new-session', '-d', '-s', 'play', '-x', String(columns), '-y', String(rows), `sh ${script}`);
  return {
    screen: (...flags: string[]) => tmux('capture-pane', '-p', '-t', 'play', ...flags),
    press: (...keys: string[]) => tmux('send-keys', '-t', 'play', ...keys),
    resize: (width: number, height: number) =>
      tmux('resize-window', '-t', 'play', '-x', String(width), '-y', String(height)),
  };
}
type Terminal = ReturnType<typeof terminal>;

const shows = (term: Terminal, text: string | RegExp) =>
  until(() => (typeof text === 'string' ? term.screen().includes(text) : text.test(term.screen())), {
    what: () => term.screen(),
  });

describe.runIf(hasProgram('tmux'))('hoop replay --play in a real terminal', () => {
  afterEach(() => void tmux('kill-server'));

  test('steps, plays, searches, filters, resizes, leaves the screen as it was', async () => {
    const term = terminal(80, 24);
    await shows(term, '1 of 11');
    await shows(term, 'verify: … not known'); // this gateway has sessions without recordings
    expect(term.screen()).toMatch(/^alice · cursor \(declared\) · orders-db · 7k3m9aaaaa · sealed +verify/);
    term.press('Right', 'Right');
    await shows(term, '3 of 11');
    expect(term.screen()).toContain("▶ ✎ #9  +0:02.000  update orders set state = 'sent' where id = NULL");
    term.press('?');
    await shows(term, 'any key goes back');
    term.press('x', '/');
    await shows(term, 'search:');
    term.press('-l', 'NOWHERE');
    term.press('Enter');
    await shows(term, 'ERROR 42P01 relation "nowhere" does not exist');
    term.press('e');
    await shows(term, 'errors only');
    term.press('n');
    await shows(term, 'nothing more with “NOWHERE” that way');
    term.press('e', 'w', 't');
    term.press('-l', '2:11');
    term.press('Enter');
    await shows(term, '6 of 11 · writes only');
    expect(term.screen()).toContain('drop table orders_old');
    term.resize(50, 16);
    term.press('Right');
    await shows(term, /7 of 11[^]*COPY data: 1,234,567 bytes[^]*space play/);
    term.resize(120, 40);
    await shows(term, /^─{120}$/m);
    term.press('w', 'g', '-', '+', '+', '+', '+', '+', '+', 'Space');
    await shows(term, '11 of 11');
    await shows(term, /‖ paused · 32×/);
    term.press('C-c');
    await shows(term, 'left with 0');
    expect(term.screen()).not.toContain('orders-db');
  });

  test('without colour, and where CI is set, the words say the same', async () => {
    const term = terminal(80, 24, { NO_COLOR: '1', CI: 'true' });
    await shows(term, '1 of 11');
    term.press('-l', '#13');
    term.press('Enter');
    await shows(term, '5 of 11');
    expect(term.screen('-e')).not.toMatch(/\u001B\[[0-9;]*3[0-9]/);
    expect(term.screen()).toContain('▶ ✕ #13  +2:10.000  select * from nowhere');
    term.press('q');
    await shows(term, 'left with 0');
  });

  test('plain replay goes through a pager: what is longer than the screen waits, and leaving early is no error', async () => {
    const term = terminal(80, 24, { PAGER: 'less' }, '');
    await shows(term, /session +7k3m9[^]*#6[^]*\n:/);
    term.press('q');
    await shows(term, 'left with 0');
    expect(term.screen()).not.toContain('select now()');
  });

  test.each([
    ['none is wanted', 'cat'],
    ['there is none', '/nowhere/less'],
  ])('without a pager where %s', async (_what, PAGER) => {
    const term = terminal(80, 24, { PAGER }, '');
    await shows(term, 'left with 0');
    expect(term.screen()).toContain('select now()');
  });

  test.each(['sessions', 'replay 7k3m9'])(
    'hoop %s goes through the pager, with --no-pager it does not',
    async (command) => {
      const paged = { HOOP_PAGER: 'sed s/^/paged:/' };
      const term = terminal(80, 24, paged, '', command);
      await shows(term, 'left with 0');
      expect(term.screen()).toMatch(/^paged:/m);
      void tmux('kill-server');
      const plain = terminal(80, 24, paged, '--no-pager', command);
      await shows(plain, 'left with 0');
      expect(plain.screen()).not.toContain('paged:');
    },
  );

  test('nothing of what was recorded is obeyed', async () => {
    const term = terminal(80, 24);
    await shows(term, '1 of 11');
    term.press('-l', '#21');
    term.press('Enter');
    await shows(term, String.raw`\e]0;owned\x07`);
    expect(tmux('display-message', '-p', '-t', 'play', '#{pane_title}')).not.toContain('owned');
    expect(tmux('list-buffers')).toBe('');
    term.press('q');
    await shows(term, 'left with 0');
  });
});

test('without a terminal it says so', async () => {
  const { code, stderr } = await cli.run(['replay', '7k3m9', '--play']);
  expect(code).toBe(2);
  expect(stderr).toContain('--play needs a terminal');
});
