import { decodeEntry, decodeHeader, headerBytes } from './entry-codec.ts';
import type { EntryKind } from './entry.ts';

/** What belongs to a statement and to nothing else. */
const belonging: ReadonlySet<EntryKind> = new Set(['data', 'rows', 'outcome', 'refusal', 'cancel']);

/**
 * The entries that say something of statement `seq`, in order: itself, what it builds on (an execution has its text in its Parse and its
 * parameters in its Bind), and the data, rows and outcomes of all of these. Of any other kind of entry itself alone. Undefined where
 * there is no such entry. One pass; memory follows the number of entries.
 */
export async function entriesOfStatement(
  entries: AsyncIterable<Uint8Array>,
  seq: number,
): Promise<{ kind: EntryKind; entries: number[] } | undefined> {
  const buildsOn = new Map<number, number>();
  const belongsTo = new Map<number, number>();
  let kind: EntryKind | undefined;
  for await (const bytes of entries) {
    const header = decodeHeader(bytes);
    if (header.seq === seq) kind = header.kind;
    const of = referenceIn(bytes);
    if (of === undefined) continue;
    if (header.kind === 'statement') buildsOn.set(header.seq, of);
    else if (belonging.has(header.kind)) belongsTo.set(header.seq, of);
  }
  if (kind === undefined) return undefined;
  if (kind !== 'statement') return { kind, entries: [seq] };
  const wanted = new Set<number>();
  for (let at: number | undefined = seq; at !== undefined && !wanted.has(at); at = buildsOn.get(at)) wanted.add(at);
  const about = [...belongsTo].filter(([, of]) => wanted.has(of)).map(([answer]) => answer);
  return { kind, entries: [...wanted, ...about].toSorted((a, b) => a - b) };
}

/** An entry that was erased names nothing any more. */
function referenceIn(bytes: Uint8Array): number | undefined {
  if (bytes.length === headerBytes) return undefined;
  const { body } = decodeEntry(bytes);
  return 'of' in body ? body.of : undefined;
}
