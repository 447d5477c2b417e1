import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { RecordingStats, RecordingTotals } from '../shared/api.ts';
import type { Archive } from '../store/archive.ts';
import type { Catalog } from '../store/catalog.ts';

/** Sizes are those of the files; which resource a recording is of, and how many statements it has, is the catalog's. */
export async function recordingStats(parts: {
  archive: Archive;
  catalog: Catalog;
  dataDir: string;
}): Promise<Omit<RecordingStats, 'removed' | 'holds'>> {
  const known = parts.catalog.sums();
  const all = nothing();
  const resources = new Map<string, RecordingTotals>();
  for await (const recording of parts.archive.list()) {
    const { resource, statements, startedAt } = known.get(recording.id) ?? unknown;
    const ofResource = resources.get(resource) ?? nothing();
    resources.set(resource, ofResource);
    const bytes = await parts.archive.bytesOf(recording);
    for (const totals of [all, ofResource]) add(totals, { statements, bytes, startedAt });
  }
  const sorted = [...resources].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return {
    ...finished(all),
    journalBytes: await journalBytes(parts.dataDir),
    resources: sorted.map(([resource, totals]) => ({ resource, ...finished(totals) })),
  };
}

/** Of a recording that the catalog does not know; `hoop gateway reindex` makes it anew. */
const unknown = { resource: '(not in the catalog)', statements: 0, startedAt: null };

const nothing = (): RecordingTotals => ({
  recordings: 0,
  statements: 0,
  bytes: 0,
  bytesPerStatement: null,
  oldest: null,
});

function add(
  totals: RecordingTotals,
  { statements, bytes, startedAt }: { statements: number; bytes: number; startedAt: string | null },
): void {
  totals.recordings++;
  totals.statements += statements;
  totals.bytes += bytes;
  if (startedAt !== null && (totals.oldest === null || startedAt < totals.oldest)) totals.oldest = startedAt;
}

const finished = (totals: RecordingTotals): RecordingTotals => ({
  ...totals,
  bytesPerStatement: totals.statements === 0 ? null : Math.round(totals.bytes / totals.statements),
});

/** Segments are made ahead of time: what they take of the disk, not what is written in them. */
async function journalBytes(dataDir: string): Promise<number> {
  const directory = join(dataDir, 'journal');
  let bytes = 0;
  for (const name of await readdir(directory).catch(() => []))
    bytes += await stat(join(directory, name)).then(
      ({ size }) => size,
      () => 0, // let go of meanwhile
    );
  return bytes;
}
