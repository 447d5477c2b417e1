import { randomUUID } from 'node:crypto';
import { open, readFile, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { UserError } from '../shared/errors.ts';
import { pause } from '../shared/pause.ts';
import { makePrivateFolder } from './private-file.ts';

/** Holders touch their file this often; one that was not touched for `staleMillis` belonged to a process that is gone or stopped. */
const touchMillis = 5_000;
const staleMillis = 30_000;
const pollMillis = 50;

export interface LockOwner {
  pid: number;
  host: string;
  token: string;
}

export interface HeldLock {
  release(): Promise<void>;
}

/** Takes the lock, or says who has it. */
export async function tryLock(path: string): Promise<HeldLock | { owner: LockOwner | undefined }> {
  await makePrivateFolder(dirname(path));
  const mine: LockOwner = { pid: process.pid, host: hostname(), token: randomUUID() };
  if (await create(path, mine)) return held(path, mine);
  const owner = await readOwner(path);
  if (await isStale(path, owner)) await breakLock(path, owner);
  else return { owner };
  return (await create(path, mine)) ? held(path, mine) : { owner: await readOwner(path) };
}

/** Runs the action while no other process of this user runs one under the same path. */
export async function withLock<T>(path: string, action: () => Promise<T>, millisMax = 60_000): Promise<T> {
  const signal = AbortSignal.timeout(millisMax);
  for (;;) {
    const lock = await tryLock(path);
    if ('release' in lock) {
      try {
        return await action();
      } finally {
        await lock.release();
      }
    }
    if (signal.aborted) {
      const who = lock.owner === undefined ? 'another process' : `process ${lock.owner.pid}`;
      throw new UserError('HOOP_LIMIT', `${who} holds ${path} for too long`, { next: 'end it, and try again' });
    }
    await pause(pollMillis, signal);
  }
}

function held(path: string, mine: LockOwner): HeldLock {
  const touching = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => undefined);
  }, touchMillis);
  touching.unref();
  return {
    async release() {
      clearInterval(touching);
      // Not one that was taken over meanwhile (this process slept).
      if ((await readOwner(path))?.token === mine.token) await rm(path, { force: true });
    },
  };
}

async function create(path: string, owner: LockOwner): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o600);
    await file.writeFile(JSON.stringify(owner)).finally(() => file.close());
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function readOwner(path: string): Promise<LockOwner | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as LockOwner;
  } catch {
    return undefined; // gone, or not written yet
  }
}

async function isStale(path: string, owner: LockOwner | undefined): Promise<boolean> {
  const touched = await stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => Date.now(),
  );
  if (Date.now() - touched > staleMillis) return true;
  return owner !== undefined && owner.host === hostname() && !isAlive(owner.pid);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * Two processes that both see a stale lock must not both remove it, or the second removes the first one's new lock: only one breaks
 * at a time, and it looks again before it does.
 */
async function breakLock(path: string, seen: LockOwner | undefined): Promise<void> {
  const breaking = `${path}.breaking`;
  const mine: LockOwner = { pid: process.pid, host: hostname(), token: randomUUID() };
  if (!(await create(breaking, mine))) {
    if (await isStale(breaking, await readOwner(breaking))) await rm(breaking, { force: true });
    return;
  }
  try {
    const owner = await readOwner(path);
    // Asked again: a new lock whose owner is not written yet looks like an old one that never had any.
    if (owner?.token === seen?.token && (await isStale(path, owner))) await rm(path, { force: true });
  } finally {
    await rm(breaking, { force: true });
  }
}
