import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Compiled } from '../support/compiled.ts';
import { compileRecorder, expectKept, promised, startLoad } from '../support/recorder-load.ts';
import { readOperations } from './disk/disk-model.ts';
import { makeFilesystem, type MadeFilesystem } from './disk/filesystems.ts';
import { buildShim, shimEnvironment, shimWorks } from './disk/shim.ts';

const { EIO, ENOSPC, EMFILE } = constants.errno;
const ways = { EIO, ENOSPC, EMFILE, 'a short write, then ENOSPC': 'short' } as const;
const sessions = 2;

const kinds = (process.env.HOOP_PROVE_FILESYSTEMS ?? 'memory').split(',');

let work: MadeFilesystem;
let disk: MadeFilesystem;
let shim: string;
let compiled: Compiled;
beforeAll(() => {
  if (!shimWorks) return;
  work = makeFilesystem('memory');
  shim = buildShim(join(work.path, 'shim.so'));
  compiled = compileRecorder();
});
afterAll(() => {
  compiled?.remove();
  work?.remove();
});

/** Two short sessions, from start to seal, of which one operation on the disk fails. */
async function recordedWith(fail?: { operation: number; how: number | 'short' }) {
  const name = fail ? `${fail.operation}-${fail.how}` : 'whole';
  const dataDir = join(disk.path, name);
  const log = join(work.path, `${name}.log`);
  mkdirSync(dataDir);
  const load = startLoad(compiled, dataDir, {
    // Every other run by the event loop's own thread, as soon as the disk has proved quick.
    bounds: { sessions, streams: 1, statements: 4, ...(fail && fail.operation % 2 && { quickAfterWrites: 1 }) },
    env: shimEnvironment({ shim, root: dataDir, log, ...(fail && { fail }) }),
  });
  await load.ended;
  const operations = readOperations(readFileSync(log)).map(({ kind }) => kind);
  rmSync(log);
  return { dataDir, lines: load.lines, code: load.child.exitCode, operations };
}

describe.runIf(shimWorks).each(kinds)('a disk (%s) on which one operation fails', (kind) => {
  beforeAll(() => void (disk = makeFilesystem(kind)));
  afterAll(() => disk.remove());

  it.each(Object.entries(ways))(
    'whichever operation it is (%s): the recorder says so or goes on, and keeps what it said was durable',
    async (_, how) => {
      const whole = await recordedWith();
      rmSync(whole.dataDir, { recursive: true });
      expect(promised(whole.lines).size).toBe(sessions);
      const counted = whole.operations.filter((each) => !each.endsWith('-begin') && each !== 'said').length;
      expect(counted).toBeGreaterThan(30);
      let met = 0;
      const numbers = Array.from({ length: counted }, (_unused, index) => index + 1);
      await inPairs(numbers, async (operation) => {
        const { dataDir, lines, code, operations } = await recordedWith({ operation, how });
        if (operations.includes('failed')) met++;
        const context = `operation ${operation}: ${lines.filter((line) => !/^\w{26} \d+$/.test(line)).join(', ')}`;
        // It ends in its own words or does not start at all; what it said holds, whichever it was.
        expect([0, 1], context).toContain(code);
        await expectKept(lines, dataDir).catch((cause: unknown) => {
          throw new Error(context, { cause });
        });
        if (code === 1) expect(lines, context).toEqual(['not started HOOP_RECORDER']);
        rmSync(dataDir, { recursive: true });
      });
      expect(met).toBeGreaterThan(how === 'short' ? counted / 20 : counted - 12);
    },
    10 * 60_000,
  );
});

async function inPairs(numbers: number[], act: (number: number) => Promise<void>): Promise<void> {
  const rest = numbers.values();
  const work = async () => {
    for (const number of rest) await act(number);
  };
  await Promise.all([work(), work()]);
}

if (!shimWorks) console.warn('NOT CHECKED: a disk that fails (it takes Linux and a C compiler)');
