import { randomBytes } from 'node:crypto';
import { access } from 'node:fs/promises';
import { loadProtocols } from '../protocol/registry.ts';
import { systemClock } from '../shared/clock.ts';
import { UserError } from '../shared/errors.ts';
import { openCatalog } from '../store/catalog.ts';
import { lockDataDir } from '../store/lock.ts';
import { openRecorder } from './recorder.ts';

/** Throws the catalog away and makes it anew from archive and journal, as a start of the gateway does with one that is missing. */
export async function reindex(dataDir: string): Promise<{ sessions: number }> {
  await access(dataDir).catch((cause: unknown) => {
    throw new UserError('HOOP_USAGE', `there is no data directory ${dataDir}`, {
      next: 'give the one of `hoop gateway start`',
      cause,
    });
  });
  const lock = await lockDataDir(dataDir);
  try {
    await loadProtocols(); // its grammars say what a statement does
    const catalog = openCatalog(dataDir);
    catalog.clear();
    let failure: UserError | undefined;
    const onFailure = (error: UserError) => (failure = error);
    const recorder = await openRecorder({
      dataDir,
      catalog,
      clock: systemClock,
      randomBytes,
      gatewayKeyId: () => '',
      onFailure,
    });
    await recorder.close();
    if (failure) throw failure;
    const sessions = catalog.ended().size;
    catalog.close();
    return { sessions };
  } finally {
    await lock.release();
  }
}
