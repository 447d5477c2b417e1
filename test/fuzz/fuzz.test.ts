import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compile, type Compiled } from '../support/compiled.ts';
import { Random } from './engine/random.ts';
import { hashOf, written } from './engine/target.ts';
import { inputsIn, seedsOf } from './seeds.ts';
import { targets } from './targets/index.ts';

/** Over all runs. */
const executions = Number(process.env['HOOP_PROVE_EXECUTIONS'] ?? 1_000_000);
const seed = Number(process.env['HOOP_PROVE_SEED'] ?? 1);
/** Two runs of the decoder, so that two processors have something to do; a login is smaller, and slower because it hashes. */
const runs = [
  { name: 'postgres-decoder', seed, count: Math.round(executions * 0.4) },
  { name: 'postgres-decoder', seed: seed + 1, count: Math.round(executions * 0.4) },
  { name: 'postgres-login', seed, count: Math.round(executions * 0.1) },
  { name: 'redis-decoder', seed, count: Math.round(executions * 0.1) },
];

const found = Object.keys(targets).flatMap((name) => inputsIn(`fuzz/${name}`).map((one) => ({ name, ...one })));
test.each(found)('$name, found before: $file', async ({ name, input }) => {
  const target = await targets[name]!();
  expect(Array.isArray(await target.execute(input, new Random(hashOf(input))))).toBe(true);
});

test.each(inputsIn('postgres/captured'))('a captured conversation: $file', async ({ input }) => {
  const target = await targets['postgres-decoder']!();
  expect(Array.isArray(await target.execute(input, new Random(hashOf(input))))).toBe(true);
});

let compiled: Compiled;
let folder: string;
beforeAll(() => {
  compiled = compile(['src/shared', 'src/protocol', 'test/fuzz', 'test/support', 'test/fixtures/postgres']);
  folder = mkdtempSync(join(tmpdir(), 'hoop-fuzz-'));
});
afterAll(() => {
  compiled.remove();
  rmSync(folder, { recursive: true });
});

test.concurrent.each(runs)(
  '$name, seed $seed, $count executions: no crash, no hang, nothing held without bound, every property',
  async ({ name, seed, count }) => {
    const seeds = join(folder, `${name}-${seed}`);
    writeFileSync(seeds, seedsOf[name]!().map(written).join('\n'));
    const run = fileURLToPath(new URL('test/fuzz/engine/run.js', compiled.url));
    const { stdout } = await promisify(execFile)(process.execPath, [run, name, seeds, String(seed), String(count)], {
      maxBuffer: 64 * 1024 * 1024,
    });
    process.stdout.write(stdout);
    const { executions: done } = JSON.parse(stdout) as { executions: number };
    expect(done).toBeGreaterThanOrEqual(count);
  },
  3_600_000,
);
