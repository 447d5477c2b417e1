import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { deployedBeforePostgres } from '../support/deployed.ts';
import { hasProgram } from '../support/programs.ts';
import { until } from '../support/until.ts';

const entry = fileURLToPath(new URL('../../bin/run.js', import.meta.url));
const deployment = await deployedBeforePostgres();

/** What else asks for colour or for none: a person's terminal says nothing of that. */
const saidOfColour =
  /^(CI|CI_.*|CONTINUOUS_INTEGRATION|FORCE_COLOR|NO_COLOR|COLORTERM|TEAMCITY_VERSION|TF_BUILD|AGENT_NAME)$/;

/** The built command on a terminal of its own, which `script` gives it. */
function onTerminal(columns: number, env: Record<string, string> = {}) {
  const line = `stty cols ${columns} rows 24; exec '${process.execPath}' '${entry}' connect orders-db --port 0`;
  const child = spawn('script', ['--quiet', '--flush', '--return', '--command', line, '/dev/null'], {
    env: { ...withoutColourSaid(deployment.alice.environment()), TERM: 'xterm-256color', SHELL: '/bin/sh', ...env },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let shown = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (shown += text));
  const ended = new Promise<number | null>((resolve) => void child.once('close', resolve));
  return { shown: () => shown, press: (keys: string) => child.stdin.write(keys), ended };
}

function withoutColourSaid(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !saidOfColour.test(name)));
}

const colours = /\u001B\[(3[0-7]|9[0-7])m/;

describe.runIf(hasProgram('script'))('hoop connect on a terminal', () => {
  test.each([
    ['in colour', {} as Record<string, string>, true],
    ['without colour where NO_COLOR says so', { NO_COLOR: '1' }, false],
  ])('draws one live line a resource, %s, until Ctrl-C', async (_, env, isColoured) => {
    const terminal = onTerminal(100, env);
    await until(() => /● orders-db\s+ready on 127\.0\.0\.1:\d+/.test(stripVTControlCharacters(terminal.shown())), {
      what: terminal.shown,
    });
    expect(stripVTControlCharacters(terminal.shown())).toContain('Ctrl-C ends the session');
    expect(colours.test(terminal.shown())).toBe(isColoured);
    terminal.press('\u0003');
    await expect(terminal.ended).resolves.toBe(130);
  });

  test('writes plain lines where the terminal has no size', async () => {
    const terminal = onTerminal(0);
    await until(() => /^orders-db ready on 127\.0\.0\.1:\d+ · session \w+\r$/m.test(terminal.shown()), {
      what: terminal.shown,
    });
    terminal.press('\u0003');
    await expect(terminal.ended).resolves.toBe(130);
  });
});
