import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Compiled } from '../support/compiled.ts';
import { compileRecorder, expectKept, startLoad } from '../support/recorder-load.ts';
import { DiskModel, readOperations, type Loss, type Operation } from './disk/disk-model.ts';
import { buildShim, shimEnvironment, shimWorks } from './disk/shim.ts';
import { proofSeed, seededRandom } from './random.ts';

const states = Number(process.env.HOOP_PROVE_STATES ?? 300);
const seed = proofSeed();
const losses: Loss[] = ['only synced', 'random subset', 'torn last write', 'lost directory entries'];

let folder: string;
let shim: string;
let compiled: Compiled;
beforeAll(() => {
  if (!shimWorks) return;
  folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'hoop-power-'));
  shim = buildShim(join(folder, 'shim.so'));
  compiled = compileRecorder();
});
afterAll(() => {
  compiled?.remove();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

/** Records under load in the directory, from what lies there on; gives the disk as it was, and what was done to it. */
async function recorded(
  dataDir: string,
  statements: number,
  quickAfterWrites: number,
): Promise<{ model: DiskModel; operations: Operation[] }> {
  const model = new DiskModel(dataDir);
  const log = join(folder, 'operations.log');
  rmSync(log, { force: true });
  const load = startLoad(compiled, dataDir, {
    bounds: { sessions: 3, streams: 2, quickAfterWrites },
    env: shimEnvironment({ shim, root: dataDir, log }),
  });
  await load.reached(statements);
  load.child.kill('SIGKILL');
  await load.ended;
  return { model, operations: readOperations(readFileSync(log)) };
}

describe.runIf(shimWorks)('power loss', () => {
  it(
    `keeps everything that was said to be durable, at any moment, whatever the disk kept of the rest (${states} states, seed ${seed})`,
    async () => {
      const random = seededRandom(seed);
      const perRound = 100;
      const promises: string[] = [];
      let previous: string | undefined;
      for (let done = 0; done < states; done += perRound) {
        const dataDir = join(folder, `round-${done}`);
        mkdirSync(dataDir);
        // Later rounds begin with what a power cut left, so that recovery itself is cut off too.
        if (previous) cpSync(previous, dataDir, { recursive: true });
        const { model, operations } = await recorded(
          dataDir,
          200 + Math.floor(random() * 200),
          1 + Math.floor(random() * 100),
        );
        const cuts = Array.from({ length: Math.min(perRound, states - done) }, () =>
          Math.floor(random() * operations.length),
        ).toSorted((a, b) => a - b);
        let at = 0;
        let kept: string | undefined;
        for (const [number, cut] of cuts.entries()) {
          for (; at <= cut; at++) model.apply(operations[at]!);
          const state = join(folder, 'state');
          mkdirSync(state);
          const loss = losses[number % losses.length]!;
          model.afterPowerLoss(state, loss, random);
          if (number === cuts.length >> 1) cpSync(state, (kept = join(folder, `kept-${done}`)), { recursive: true });
          const said = [...promises, ...model.said.split('\n').slice(0, -1)];
          try {
            await expectKept(said, state);
          } catch (error) {
            throw new Error(`seed ${seed}: after operation ${cut} of round ${done}, ${loss}`, { cause: error });
          }
          if (number === cuts.length >> 1) promises.push(...model.said.split('\n').slice(0, -1));
          rmSync(state, { recursive: true });
        }
        expect(model.said, 'the program said nothing').not.toBe('');
        previous = kept;
        rmSync(dataDir, { recursive: true });
      }
    },
    4 * 60 * 60_000,
  );

  it('would notice a record that is not synced', async () => {
    const dataDir = join(folder, 'unsynced');
    mkdirSync(dataDir);
    const { model, operations } = await recorded(dataDir, 50, 20);
    for (const operation of operations) if (operation.kind !== 'sync') model.apply(operation);
    const state = join(folder, 'unsynced-state');
    mkdirSync(state);
    model.afterPowerLoss(state, 'only synced', Math.random);
    await expect(expectKept(model.said.split('\n').slice(0, -1), state)).rejects.toThrow(
      /no recording|toEqual|expected/,
    );
  }, 60_000);
});

if (!shimWorks) console.warn('NOT CHECKED: power loss (it takes Linux and a C compiler)');
