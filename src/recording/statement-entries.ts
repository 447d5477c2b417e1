import { decodeEvents, decodeHeader, headerBytes } from './entry-codec.ts';
import type { EntryKind } from './entry.ts';

/** What belongs to a statement and to nothing else. */
const belonging: ReadonlySet<EntryKind> = new Set(['data', 'rows', 'outcome', 'refusal', 'cancel']);

/** What of a recording says something. */
export interface Saying {
  /** Each by the number of its first event, in order. */
  entries: number[];
  /** All that they hold. */
  events: number[];
}

/**
 * What says something of statement `seq`: itself, what it builds on (an execution has its text in its Parse and its parameters in its
 * Bind), and the data, rows and outcomes of all of these. Of any other kind of event itself alone, as with `only`. Entries are told whole:
 * what came in one step with it goes with it. Undefined where there is no such number. One pass; memory follows the number of events.
 */
export async function entriesOfStatement(
  entries: AsyncIterable<Uint8Array>,
  seq: number,
  only = false,
): Promise<({ kind: EntryKind } & Saying) | undefined> {
  const buildsOn = new Map<number, number>();
  const belongsTo = new Map<number, number>();
  /** Of each event the entry. */
  const inside = new Map<number, number>();
  let kind: EntryKind | undefined;
  for await (const bytes of entries) {
    const entry = decodeHeader(bytes).seq;
    for (const event of eventsIn(bytes)) {
      if (event.seq === seq) kind = event.kind;
      inside.set(event.seq, entry);
      if (event.of === undefined) continue;
      if (event.kind === 'statement') buildsOn.set(event.seq, event.of);
      else if (belonging.has(event.kind)) belongsTo.set(event.seq, event.of);
    }
  }
  if (kind === undefined) return undefined;
  const wanted = new Set([seq]);
  if (kind === 'statement' && !only) {
    for (let at = buildsOn.get(seq); at !== undefined && !wanted.has(at); at = buildsOn.get(at)) wanted.add(at);
    for (const [answer, of] of belongsTo) if (wanted.has(of)) wanted.add(answer);
  }
  const whole = new Set([...wanted].map((event) => inside.get(event)!));
  const events = [...inside].filter(([, entry]) => whole.has(entry)).map(([event]) => event);
  return { kind, entries: [...whole].toSorted((one, other) => one - other), events };
}

interface Event {
  seq: number;
  kind: EntryKind;
  of?: number | undefined;
}

/** An entry that was erased names nothing any more. */
function eventsIn(bytes: Uint8Array): Event[] {
  if (bytes.length > headerBytes)
    return decodeEvents(bytes).map(({ header: { seq, kind }, body }) => ({
      seq,
      kind,
      of: 'of' in body ? body.of : undefined,
    }));
  const { seq, kind, events } = decodeHeader(bytes);
  return Array.from({ length: events }, (_, index) => ({ seq: seq + index, kind }));
}
