import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'libsql';
import { UserError } from '../shared/errors.ts';
import { writeFileAtomically } from './durable.ts';

export interface DataDirLock {
  release(): Promise<void>;
}

/**
 * Keeps a second gateway off a data directory. The lock is the operating system's (a transaction that is held on `lock.db`: SQLite
 * locks the file itself), so it ends with the process however that ends, and no pid can be mistaken. `gateway.pid` only says who.
 */
export async function lockDataDir(dataDir: string): Promise<DataDirLock> {
  const database = new Database(join(dataDir, 'lock.db'));
  try {
    database.pragma('busy_timeout = 0');
    database.exec('begin exclusive');
  } catch (cause) {
    database.close();
    if (!/busy|locked/i.test(`${(cause as { code?: string }).code} ${(cause as Error).message}`)) throw cause;
    throw await lockedBy(dataDir, cause);
  }
  const owner = { pid: process.pid, startedAt: new Date(Date.now() - process.uptime() * 1000).toISOString() };
  try {
    await writeFileAtomically(pidPath(dataDir), Buffer.from(`${JSON.stringify(owner)}\n`));
  } catch (error) {
    database.close();
    throw error;
  }
  let held = true;
  return {
    async release() {
      if (!held) return;
      held = false;
      database.exec('rollback');
      database.close();
    },
  };
}

const pidPath = (dataDir: string): string => join(dataDir, 'gateway.pid');

async function lockedBy(dataDir: string, cause: unknown): Promise<UserError> {
  const owner = await readFile(pidPath(dataDir), 'utf8')
    .then((text) => JSON.parse(text) as { pid: number; startedAt: string })
    .catch(() => undefined);
  const who = owner ? `process ${owner.pid}, started ${owner.startedAt}` : 'its process id is not known';
  return new UserError('HOOP_DATA_DIR_LOCKED', `another gateway runs on ${dataDir} (${who})`, {
    next: 'stop that one first, or choose another --data-dir',
    cause,
  });
}
