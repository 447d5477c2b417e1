import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

test('no branch between a client’s bytes and the record is untested', async () => {
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/proofs/coverage-config.ts'];
  const { stdout } = await promisify(execFile)(process.execPath, vitest, { cwd: root }).catch(
    (error: { stdout: string; stderr: string }) => {
      throw new Error(`${error.stdout}\n${error.stderr}`.slice(-6000));
    },
  );
  expect(stdout).toMatch(/All files .*\| +100 \|/);
}, 400_000);
