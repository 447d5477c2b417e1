import type { Clock, Timers } from '../shared/clock.ts';
import type { UserError } from '../shared/errors.ts';
import type { Disk } from './disk.ts';

export interface JournalOptions {
  dataDir: string;
  clock: Clock;
  /** Called when nothing can be recorded any more: until `resume`. */
  onFailure: (error: UserError) => void;
  segmentBytes?: number;
  pendingBytesMax?: number;
  durableMillisMax?: number;
  quickAfterWrites?: number;
  disk?: Disk;
  timers?: Timers;
}
