import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SegmentFile } from '../../src/store/durable.ts';
import { WritePace } from '../../src/store/write-pace.ts';
import { buildShim, shimEnvironment, shimWorks } from '../proofs/disk/shim.ts';
import { compile, type Compiled } from '../support/compiled.ts';

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'hoop-durable-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const quickPace = (): WritePace => {
  const pace = new WritePace();
  for (let count = 0; count < 100; count++) pace.took(0.1);
  return pace;
};

/** How often the event loop came round while something was waited for. */
async function turnsDuring(work: Promise<void> | undefined): Promise<number> {
  let turns = 0;
  let isOver = false;
  const turn = (): void => {
    if (isOver) return;
    turns++;
    setImmediate(turn);
  };
  setImmediate(turn);
  await work;
  isOver = true;
  return turns;
}

describe('a batch', () => {
  const batch = () => [Buffer.from('one '), Buffer.from('two')];

  it.each(['in the thread pool', 'on the event loop'])('is in the file where it belongs, written %s', async (where) => {
    const path = join(folder, where);
    const file = await SegmentFile.create(path, 4096, where === 'on the event loop' ? quickPace() : new WritePace());
    await file.write(batch(), 100);
    await file.close();
    const bytes = readFileSync(path);
    expect(bytes.length).toBe(4096);
    expect(bytes.subarray(99, 108).toString()).toBe('\0one two\0');
  });

  it('of a quick disk is durable within the turn in which it was written, a large one is left to the thread pool', async () => {
    const file = await SegmentFile.create(join(folder, 'quick'), 1024 * 1024, quickPace());
    expect(file.write(batch(), 0)).toBeUndefined();
    expect(await turnsDuring(file.write([Buffer.alloc(512 * 1024)], 0))).toBeGreaterThan(0);
    await file.close();
  });
});

describe.runIf(shimWorks)('a disk that takes 20 ms for everything', () => {
  let compiled: Compiled;
  beforeAll(() => (compiled = compile(['src/shared', 'src/store', 'src/recording'])));
  afterAll(() => compiled?.remove());

  it('holds the event loop up once, and then no more', () => {
    const program = `
      const { SegmentFile } = await import('${compiled.url}src/store/durable.js');
      const { WritePace } = await import('${compiled.url}src/store/write-pace.js');
      ${turnsDuring.toString()}
      const pace = new WritePace();
      for (let count = 0; count < 100; count++) pace.took(0.1);
      const file = await SegmentFile.create(process.argv[1] + '/slow', 65536, pace);
      const turns = [];
      for (let count = 0; count < 10; count++) turns.push(await turnsDuring(file.write([Buffer.from('x')], count)));
      console.log(JSON.stringify(turns));`;
    const env = shimEnvironment({
      shim: buildShim(join(folder, 'shim.so')),
      root: folder,
      log: join(folder, 'operations.log'),
      syncMillis: 20,
    });
    const ran = spawnSync(process.execPath, ['--input-type=module', '-e', program, folder], {
      env: { ...process.env, ...env },
      encoding: 'utf8',
    });
    expect(ran.stderr).toBe('');
    const [first, ...rest] = JSON.parse(ran.stdout) as number[];
    expect(first).toBe(0);
    for (const turns of rest) expect(turns).toBeGreaterThan(0);
  });
});
