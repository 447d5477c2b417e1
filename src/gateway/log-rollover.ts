import { formatVerifierKey } from '../recording/note.ts';
import type { RolledOver } from '../shared/api.ts';
import type { Registry } from '../store/registry.ts';
import type { LogKeyActs } from './api/ports.ts';
import type { TransparencyLog } from './log.ts';
import type { RecordAct } from './recordings.ts';

export interface RolloverParts {
  log: TransparencyLog;
  keys: Registry['keys'];
  recordAct: RecordAct;
}

/** A new key for the log, by order: the act is in the log before the key signs, under the last checkpoint of the old one. */
export function logKeyActs({ log, keys, recordAct }: RolloverParts): LogKeyActs {
  let last: Promise<unknown> = Promise.resolve();
  const rollOver: LogKeyActs['rollOver'] = async ({ user, via }): Promise<RolledOver> => {
    const before = log.verifierKey;
    const next = log.prepareKey();
    const key = formatVerifierKey(next);
    await recordAct({ act: 'log-key-replaced', by: user, via, subject: { before, key } });
    await log.rollOver(next);
    keys.destroyReplaced();
    return { before, key };
  };
  return {
    rollOver(by) {
      const done = last.then(() => rollOver(by));
      last = done.catch(() => undefined);
      return done;
    },
  };
}
