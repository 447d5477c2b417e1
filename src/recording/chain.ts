import { UserError } from '../shared/errors.ts';
import {
  checkHeader,
  commitmentHolds,
  decodeEvents,
  decodeHeader,
  encodeEntry,
  encodeGroup,
  entryHashCharacters,
  eventsOf,
  firstPrevious,
  followsFrom,
  headerBytes,
  seqOf,
  timeOf,
  type EntryPlace,
} from './entry-codec.ts';
import type { Entry, EntryBody } from './entry.ts';
import type { EventGroup } from './event-group.ts';

/** The growing end of one session's chain. */
export class SessionChain {
  /** A character a byte. */
  #head: string;
  #seq = 0;
  #lastSeq = -1;
  #timeMicros = 0;

  constructor(sessionId: Uint8Array) {
    this.#head = firstPrevious(sessionId).toString('latin1');
  }

  /** Hash of the last entry. */
  get head(): Uint8Array {
    return Buffer.from(this.#head, 'latin1');
  }

  /** Number of the next entry. */
  get seq(): number {
    return this.#seq;
  }

  /** Number of the last entry; of a group that of its first event. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  /**
   * The next entry, encoded, and good until any chain's next one; the chain moves on only with `accept`, once the entry is appended.
   */
  next(stream: number, body: EntryBody, timeMicros: number, salt: Uint8Array): Buffer {
    return encodeEntry(body, this.#place(stream, timeMicros, salt));
  }

  /** The same for the events of one step. */
  nextGroup(stream: number, group: EventGroup, timeMicros: number, salt: Uint8Array): Buffer {
    return encodeGroup(group, this.#place(stream, timeMicros, salt));
  }

  #place(stream: number, timeMicros: number, salt: Uint8Array): EntryPlace {
    this.#timeMicros = Math.max(timeMicros, this.#timeMicros);
    return { stream, seq: this.#seq, timeMicros: this.#timeMicros, previous: this.#head, salt };
  }

  accept(entry: Uint8Array): void {
    this.#head = entryHashCharacters(entry);
    this.#lastSeq = this.#seq;
    this.#seq += eventsOf(entry);
  }

  /** Goes on where recorded entries end; of one that was erased, the header is enough. Throws `ChainFault` when the entry does not follow. */
  follow(entry: Uint8Array): void {
    const why = faultOf(entry, this.#seq, this.#head);
    if (why !== undefined) throw new ChainFault(this.#seq, why);
    this.#timeMicros = Math.max(this.#timeMicros, timeOf(entry));
    this.accept(entry);
  }
}

/** The first place where a recording is not what was recorded. */
export class ChainFault extends Error {
  override readonly name = 'ChainFault';
  readonly seq: number;
  readonly why: string;

  constructor(seq: number, why: string) {
    super(`entry ${seq}: ${why}`);
    this.seq = seq;
    this.why = why;
  }
}

function faultOf(entry: Uint8Array, seq: number, head: string): string | undefined {
  try {
    checkHeader(entry);
    timeOf(entry);
    if (seqOf(entry) !== seq) return `numbered ${seqOf(entry)}`;
  } catch (error) {
    return `not an entry: ${(error as Error).message}`;
  }
  if (!followsFrom(entry, head)) return 'does not follow from the entry before';
  return isErased(entry) || commitmentHolds(entry) ? undefined : 'the payload is not the one that was committed to';
}

/** A sealed recording has the header alone of an entry whose payload was erased. Whether that was logged, `verify` says. */
const isErased = (entry: Uint8Array): boolean => entry.length === headerBytes;

const decoded = (entry: Uint8Array): Entry[] => (isErased(entry) ? erasedEvents(entry) : decodeEvents(entry));

/** Of which nothing more is known than that they were. */
function erasedEvents(entry: Uint8Array): Entry[] {
  const header = decodeHeader(entry);
  return Array.from({ length: header.events }, (_, index) => ({
    header: { ...header, seq: header.seq + index },
    body: { kind: 'erased' },
  }));
}

export type ChainVerdict =
  | { ok: true; entries: number; head: Uint8Array; sealed: boolean }
  | { ok: false; seq: number; why: string };

/** Checks encoded entries, from the genesis entry on: numbering, chain, commitments, nothing after the seal. */
export async function checkChain(
  sessionId: Uint8Array,
  entries: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<ChainVerdict> {
  const chain = new SessionChain(sessionId);
  let sealed = false;
  try {
    for await (const entry of entries) {
      if (sealed) throw new ChainFault(chain.seq, 'stands after the seal');
      chain.follow(entry);
      const { header } = decoded(entry)[0]!;
      if ((header.seq === 0) !== (header.kind === 'genesis'))
        throw new ChainFault(header.seq, 'misplaced genesis entry');
      sealed = header.kind === 'seal';
    }
  } catch (error) {
    if (error instanceof ChainFault) return { ok: false, seq: error.seq, why: error.why };
    if (error instanceof RangeError) return { ok: false, seq: chain.seq - 1, why: error.message };
    throw error;
  }
  return { ok: true, entries: chain.seq, head: chain.head, sealed };
}

/**
 * Decodes entries, each checked against the chain. Behind a fault it goes on with those that are intact in themselves, so that nothing
 * readable is lost, and ends with HOOP_RECORD_DAMAGED, which names the first fault.
 */
export async function* checkedEntries(
  session: { id: string; idBytes: Uint8Array },
  entries: AsyncIterable<Uint8Array>,
): AsyncGenerator<Entry> {
  const chain = new SessionChain(session.idBytes);
  let fault: ChainFault | undefined;
  for await (const entry of entries) {
    try {
      if (!fault) chain.follow(entry);
      else if (!isErased(entry) && !commitmentHolds(entry)) continue;
      yield* decoded(entry);
    } catch (error) {
      if (error instanceof RangeError) fault ??= new ChainFault(chain.seq, error.message);
      else if (error instanceof ChainFault) fault = error;
      else throw error;
      yield* decodedIfIntact(entry);
    }
  }
  if (fault) throw damaged(session.id, fault);
}

function decodedIfIntact(entry: Uint8Array): Entry[] {
  try {
    return commitmentHolds(entry) ? decodeEvents(entry) : [];
  } catch {
    return [];
  }
}

const damaged = (id: string, cause: ChainFault): UserError =>
  new UserError(
    'HOOP_RECORD_DAMAGED',
    `the recording of session ${id} is damaged at entry ${cause.seq}: ${cause.why}`,
    {
      next: 'restore it from a backup; entries that are intact in themselves were given',
      cause,
    },
  );
