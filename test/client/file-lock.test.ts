import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tryLock, withLock, type HeldLock } from '../../src/client/file-lock.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hoop-lock-'));
  path = join(folder, 'a.lock');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const owner = (pid: number, host = hostname()) => JSON.stringify({ pid, host, token: 'theirs' });

describe('one process at a time', () => {
  it('only one of many that want it at once is inside', async () => {
    let inside = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 10 }, () =>
        withLock(path, async () => {
          most = Math.max(most, ++inside);
          await new Promise((resolve) => setTimeout(resolve, 5));
          inside--;
        }),
      ),
    );
    expect(most).toBe(1);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('the lock is given back after a failure', async () => {
    await expect(withLock(path, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(existsSync(path)).toBe(false);
  });

  it('a living owner is named, and waiting for it ends', async () => {
    const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    try {
      writeFileSync(path, owner(other.pid ?? 0));
      expect(await tryLock(path)).toMatchObject({ owner: { pid: other.pid } });
      await expect(withLock(path, async () => undefined, 100)).rejects.toMatchObject({
        code: 'HOOP_LIMIT',
        message: expect.stringContaining(`process ${other.pid}`),
      });
    } finally {
      other.kill('SIGKILL');
    }
  });
});

describe('what a killed process left behind holds nobody up', () => {
  it('its process is gone', async () => {
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    writeFileSync(path, owner(pid));
    const lock = (await tryLock(path)) as HeldLock;
    await lock.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each([
    ['another machine’s, on a shared home folder', owner(1, 'elsewhere')],
    ['killed before it wrote its name', ''],
  ])('%s: after half a minute without a touch', async (_why, text) => {
    writeFileSync(path, text);
    expect(await tryLock(path)).toHaveProperty('owner');
    const longAgo = new Date(Date.now() - 31_000);
    utimesSync(path, longAgo, longAgo);
    expect(await tryLock(path)).toHaveProperty('release');
  });

  it('of many that find it stale, one at a time gets in', async () => {
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    for (let round = 0; round < 20; round++) {
      writeFileSync(path, owner(pid));
      const taken = await Promise.all(Array.from({ length: 8 }, () => tryLock(path)));
      const held = taken.filter((one): one is HeldLock => 'release' in one);
      expect(held.length).toBeLessThanOrEqual(1);
      for (const lock of held) await lock.release();
      rmSync(path, { force: true });
    }
  });
});
