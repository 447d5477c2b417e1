import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { tryLock, type HeldLock } from '../../src/client/file-lock.ts';
import { compile, type Compiled } from '../support/compiled.ts';
import { run } from '../support/run.ts';

let compiled: Compiled;
let folder: string;
let path: string;

beforeAll(() => {
  compiled = compile(['src/client', 'src/shared']);
});
afterAll(() => compiled.remove());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hoop-lock-'));
  path = join(folder, 'tokens', 'x.lock');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const taken = async () => {
  const lock = await tryLock(path);
  expect(lock).toHaveProperty('release');
  return lock as HeldLock;
};

/** A process that is gone: its number is free again. */
async function endedPid(): Promise<number> {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'close');
  return child.pid!;
}

const leaveBehind = (owner: string) => writeFileSync(path, owner, { mode: 0o600 });
const backdate = () => utimesSync(path, new Date(Date.now() - 31_000), new Date(Date.now() - 31_000));

describe('a lock among the processes of one user', () => {
  test('of a process that died is taken over at once', async () => {
    await (await taken()).release();
    leaveBehind(JSON.stringify({ pid: await endedPid(), host: hostname(), token: 'theirs' }));
    const lock = await taken();
    expect(await tryLock(path)).toMatchObject({ owner: { pid: process.pid } });
    await lock.release();
  });

  test('of a process on another machine (a home folder on the network) is not, while it is touched', async () => {
    await (await taken()).release();
    leaveBehind(JSON.stringify({ pid: await endedPid(), host: 'another-machine', token: 'theirs' }));
    expect(await tryLock(path)).toMatchObject({ owner: { host: 'another-machine' } });
    backdate();
    await (await taken()).release();
  });

  test('is not released by a process that slept and lost it', async () => {
    const slept = await taken();
    backdate();
    const theirs = await taken();
    await slept.release();
    expect(await tryLock(path)).toHaveProperty('owner');
    await theirs.release();
  });

  test('several processes that all find a dead one’s lock count without losing one', async () => {
    await (await taken()).release();
    leaveBehind(JSON.stringify({ pid: await endedPid(), host: hostname(), token: 'theirs' }));
    const counter = join(folder, 'counter');
    writeFileSync(counter, '0');
    const script = `
      import { readFileSync, writeFileSync } from 'node:fs';
      import { setImmediate as turn } from 'node:timers/promises';
      const { withLock } = await import(${JSON.stringify(`${compiled.url}src/client/file-lock.js`)});
      for (let i = 0; i < 25; i++)
        await withLock(${JSON.stringify(path)}, async () => {
          const seen = Number(readFileSync(${JSON.stringify(counter)}, 'utf8'));
          await turn();
          writeFileSync(${JSON.stringify(counter)}, String(seen + 1));
        });`;
    const processes = Array.from({ length: 4 }, () => run(process.execPath, ['--input-type=module', '--eval', script]));
    for (const { code, stderr } of await Promise.all(processes))
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(readFileSync(counter, 'utf8')).toBe('100');
  });
});
