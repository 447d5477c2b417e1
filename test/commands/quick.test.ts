import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const url = (path: string) => new URL(`../../${path}`, import.meta.url).href;

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

const node = (args: string[]): Promise<Ended> =>
  new Promise((resolve) => {
    const child = execFile(process.execPath, args, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr }),
    );
    child.stdin?.end();
  });

/** As oclif finds and runs any command. */
const byOclif = (words: string[]) =>
  node([
    '--input-type=module',
    '--eval',
    `import { runAny } from '${url('dist/run-any.js')}'; await runAny('${fileURLToPath(url('.'))}');`,
    'hoop',
    ...words,
  ]);

// What these commands do when all is well is shown wherever they are used.
test.each([
  ['connect --nope'],
  ['connect a --port x'],
  ['connect a b --port 1'],
  ['connect --json'],
  ['connect a --json --gateway nonsense'],
  ['mcp'],
  ['mcp a --ttl soon'],
  ['run'],
  ['run a -- psql --help'],
  ['sessions --state foo --json'],
  ['sessions --since x'],
  ['sessions nonsense'],
  ['sessions --help'],
  ['connect --help'],
])('a quick command says what it says by oclif: %s', async (line) => {
  const words = line.split(' ');
  const [quick, ordinary] = await Promise.all([node([fileURLToPath(url('bin/run.js')), ...words]), byOclif(words)]);
  expect(quick).toEqual(ordinary);
  expect(quick.stdout + quick.stderr).not.toBe('');
});
