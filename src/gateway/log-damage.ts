import { join } from 'node:path';
import type { Log } from '../shared/log.ts';
import { segmentName } from '../store/journal-format.ts';
import type { Recorder } from './recorder.ts';

/** Says what of the record could not be read at start: nobody would look for it otherwise. */
export function logDamage({ faults, damaged }: Pick<Recorder, 'faults' | 'damaged'>, dataDir: string, log: Log): void {
  for (const { segment, from, to } of faults) {
    log.error(
      { file: join(dataDir, 'journal', segmentName(segment)), from, to },
      'the journal was durable here and cannot be read now: the file is kept as it is, all that can be read of it was; restore it from a backup',
    );
  }
  for (const session of damaged) {
    log.error(
      { session },
      'the recording of this session cannot be read in full: what can be read is shown, the rest is kept where it is',
    );
  }
}
