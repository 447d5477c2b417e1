import type { RecordingStats, RecordingTotals } from '../shared/api.ts';
import { byteSize, count, facts, localTime, table } from './print.ts';

const number = (value: number): string => value.toLocaleString('en-US');

/** A line for each resource, one for all, and what stands beside the recordings. */
export function recordingStatsText({ resources, holds, journalBytes, removed, ...all }: RecordingStats): string {
  const rows: ({ resource: string } & RecordingTotals)[] = [...resources, { resource: 'all', ...all }];
  const totals = table(rows, [
    { title: 'RESOURCE', value: ({ resource }) => resource },
    { title: 'RECORDINGS', value: ({ recordings }) => number(recordings), alignRight: true },
    { title: 'STATEMENTS', value: ({ statements }) => number(statements), alignRight: true },
    { title: 'ON DISK', value: ({ bytes }) => byteSize(bytes), alignRight: true },
    {
      title: 'PER STATEMENT',
      value: ({ bytesPerStatement }) => (bytesPerStatement === null ? '-' : byteSize(bytesPerStatement)),
      alignRight: true,
    },
    { title: 'OLDEST', value: ({ oldest }) => (oldest === null ? '-' : localTime(oldest)) },
  ]);
  const beside = facts([
    ['journal', `${byteSize(journalBytes)}, made ahead of time`],
    ['removed', count(removed, 'recording')],
    ['held', count(holds.length, 'recording')],
    ...holds.map(
      ({ session, reason, heldBy }) => ['', `${session} by ${heldBy}${reason ? `: ${reason}` : ''}`] as const,
    ),
  ]);
  return `${totals}\n\n${beside}`;
}
