import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { lockDataDir } from '../../src/store/lock.ts';
import { compile, type Compiled } from '../support/compiled.ts';

let compiled: Compiled;
let dataDir: string;
beforeAll(() => {
  compiled = compile(['src/shared', 'src/store']);
});
afterAll(() => compiled.remove());
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'hoop-lock-'));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

/** A process that holds the lock until it is killed. */
async function holder() {
  const script = `
    const { lockDataDir } = await import(process.argv[1]);
    await lockDataDir(process.argv[2]);
    process.stdout.write('held');
    setInterval(() => {}, 1000);`;
  const url = new URL('src/store/lock.js', compiled.url).href;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, url, dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  const kill = (signal: NodeJS.Signals) =>
    new Promise<void>((resolve) => {
      child.once('close', () => resolve());
      child.kill(signal);
    });
  return { pid: child.pid!, kill };
}

describe('a data directory', () => {
  it('has one gateway at a time; the second learns which process it is', async () => {
    const first = await holder();
    await expect(lockDataDir(dataDir)).rejects.toMatchObject({
      code: 'HOOP_DATA_DIR_LOCKED',
      message: expect.stringContaining(`process ${first.pid},`),
    });
    await first.kill('SIGKILL');
    const lock = await lockDataDir(dataDir);
    await lock.release();
  });

  it('is not locked by a stale pid file, whoever has that number now', async () => {
    writeFileSync(
      join(dataDir, 'gateway.pid'),
      JSON.stringify({ pid: process.ppid, startedAt: new Date().toISOString() }),
    );
    const lock = await lockDataDir(dataDir);
    await expect(lock.release()).resolves.toBeUndefined();
  });

  it('is locked inside one process too, and free after release', async () => {
    const lock = await lockDataDir(dataDir);
    await expect(lockDataDir(dataDir)).rejects.toMatchObject({ code: 'HOOP_DATA_DIR_LOCKED' });
    await lock.release();
    await lock.release();
    await (await lockDataDir(dataDir)).release();
  });

  it('cannot be taken over by deleting the pid file', async () => {
    const first = await holder();
    execFileSync('rm', [join(dataDir, 'gateway.pid')]);
    await expect(lockDataDir(dataDir)).rejects.toMatchObject({ code: 'HOOP_DATA_DIR_LOCKED' });
    await first.kill('SIGTERM');
  });
});
