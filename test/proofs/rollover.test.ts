import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TransparencyLog } from '../../src/gateway/log.ts';
import { parseVerifierKey } from '../../src/recording/note.ts';
import { systemClock } from '../../src/shared/clock.ts';
import { verifyDataDir } from '../../src/store/verify-directory.ts';
import { compile, type Compiled } from '../support/compiled.ts';
import { DiskModel, readOperations, type Loss } from './disk/disk-model.ts';
import { buildShim, shimEnvironment, shimWorks } from './disk/shim.ts';
import { fileKeys } from './rollover/file-keys.ts';
import { proofSeed, seededRandom } from './random.ts';

const states = Number(process.env['HOOP_PROVE_STATES'] ?? 60);
const seed = proofSeed();
const losses: Loss[] = ['only synced', 'random subset', 'torn last write', 'lost directory entries'];
const program = fileURLToPath(new URL('../fixtures/recording/rollover.mjs', import.meta.url));
const keysPerRun = 3;
const folders = ['src/shared', 'src/protocol', 'src/recording', 'src/store', 'src/gateway'];

let folder: string;
let compiled: Compiled;
beforeAll(() => {
  if (!shimWorks) return;
  folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'hoop-rollover-'));
  compiled = compile([...folders, 'test/proofs/rollover']);
});
afterAll(() => {
  compiled?.remove();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

/** A start after the power cut, and what both the one who trusts the first key and the gateway itself find. */
async function expectWhole(dataDir: string, said: string[]): Promise<void> {
  const keys = fileKeys(dataDir);
  const failed = (error: Error) => expect.unreachable(error.message);
  const log = await TransparencyLog.open({ dataDir, keys, clock: systemClock, onFailure: failed });
  await log.checkpoint();
  const { key, verifierKey } = log;
  expect(keys.nextGateway).toBeUndefined();
  const first = parseVerifierKey(said[0] ?? verifierKey)!;
  for (const trusted of [first, key])
    expect(await verifyDataDir(dataDir, { keys: [trusted], witnesses: [] })).toMatchObject({ verdict: 'VALID' });
  // A key that was said to sign signs, or one that came after it.
  const rolled = existsSync(join(dataDir, 'log/keys')) ? readdirSync(join(dataDir, 'log/keys')).length : 0;
  expect(rolled).toBeGreaterThanOrEqual(said.length - 1);
  if (rolled === said.length - 1) expect(verifierKey).toBe(said.at(-1));
}

describe.runIf(shimWorks)('a new key of the log', () => {
  it(
    `follows the old one whole or not at all, wherever the power is cut (${states} states, seed ${seed})`,
    async () => {
      const random = seededRandom(seed);
      const dataDir = join(folder, 'data');
      mkdirSync(dataDir);
      const model = new DiskModel(dataDir);
      const operationsLog = join(folder, 'operations.log');
      const shim = buildShim(join(folder, 'shim.so'));
      const child = spawn(process.execPath, [program, dataDir, String(keysPerRun)], {
        env: {
          ...process.env,
          ...shimEnvironment({ shim, root: dataDir, log: operationsLog }),
          HOOP_MODULES: compiled.url,
        },
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      expect(await once(child, 'exit')).toEqual([0, null]);
      const operations = readOperations(readFileSync(operationsLog));
      // From the first words on: before, the gateway has not started for the first time.
      const begun = operations.findIndex(({ kind }) => kind === 'said');
      const step = Math.max(1, Math.floor(((operations.length - begun) * losses.length) / states));
      let asked = Math.floor(random() * step);
      for (const [at, operation] of operations.entries()) {
        model.apply(operation);
        if (at < begun) continue;
        for (const loss of losses) {
          if (asked++ % step !== 0) continue;
          const state = join(folder, 'state');
          mkdirSync(state);
          model.afterPowerLoss(state, loss, random);
          try {
            await expectWhole(state, model.said.split('\n').slice(0, -1));
          } catch (error) {
            throw new Error(`seed ${seed}: after operation ${at} of ${operations.length}, ${loss}`, { cause: error });
          }
          rmSync(state, { recursive: true });
        }
      }
      expect(model.said.split('\n')).toHaveLength(keysPerRun + 2);
    },
    60 * 60_000,
  );
});

if (!shimWorks)
  console.warn('NOT CHECKED: power loss while the log’s key is replaced (it takes Linux and a C compiler)');
