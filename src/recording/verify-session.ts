import { commitmentHolds, decodeEntry, decodeHeader, entryHash, firstPrevious, headerBytes } from './entry-codec.ts';
import type { EntryHeader } from './entry.ts';
import type { Leaf } from './leaf.ts';
import { worst, type Verdict } from './verdicts.ts';
import type { SessionWitness } from './verify-witness.ts';
import { comparedWithSeen, type SeenHead } from './witness-list.ts';

/** Bytes that end before they should; `readSealed` and the journal throw RangeError for everything else. */
export class CutOff extends Error {
  override readonly name = 'CutOff';
}

export interface SessionToVerify {
  idBytes: Buffer;
  /** Encoded entries from the genesis on; one whose payload was erased is its header alone. Throws RangeError, CutOff. */
  entries: AsyncIterable<Buffer>;
  /** What the log says about this session, in the log's order; all of it proven. */
  leaves: readonly Leaf[];
  /** What an agent has seen of it, by the agent's own list. */
  seen?: readonly SeenHead[] | undefined;
}

export interface VerifiedSession extends Verdict {
  entries: number;
  /** The last entry that the log has. */
  anchored?: number;
  erased: number[];
  startedMicros?: number;
  /** The agent beside the resource, as the genesis entry has it; undefined where that was erased. */
  beside?: Pick<SessionWitness, 'agent' | 'standing'>;
}

/** One session against what the log says of it. Holds one entry at a time. */
export async function verifySession(session: SessionToVerify): Promise<VerifiedSession> {
  const walk = new Walk(session);
  const found = contradiction(session.leaves) ?? (await walk.run()) ?? compared(session, walk);
  const anchored = session.leaves.findLast(({ kind }) => anchorKinds.has(kind));
  return {
    ...found,
    entries: walk.seq,
    erased: walk.erased,
    ...(anchored && { anchored: anchored.kind === 'open' ? 0 : anchored.number }),
    ...(walk.startedMicros !== undefined && { startedMicros: walk.startedMicros }),
    ...(walk.beside && { beside: walk.beside }),
  };
}

const anchorKinds: ReadonlySet<string> = new Set(['open', 'head', 'close', 'interrupted']);
const endKinds: ReadonlySet<string> = new Set(['close', 'interrupted']);

/** Does the log say two things that cannot both be? */
function contradiction(leaves: readonly Leaf[]): Verdict | undefined {
  const seen = new Map<string, Buffer>();
  for (const { kind, number, digest } of leaves) {
    if (!anchorKinds.has(kind)) continue;
    const key = kind === 'open' ? 'open' : endKinds.has(kind) ? 'end' : `entry ${number}`;
    const before = seen.get(key);
    seen.set(key, digest);
    if (before && (key === 'open' || key === 'end' || !before.equals(digest)))
      return { verdict: 'FORK', at: number, why: `the log has two leaves for the ${key} of the session` };
  }
  return undefined;
}

/** Walks the chain once. `seq`: the number that is due. */
class Walk {
  readonly #session: SessionToVerify;
  readonly #wanted: Set<number>;
  /** Hashes of the entries that leaves speak of. */
  readonly hashes = new Map<number, Buffer>();
  readonly erased: number[] = [];
  #previous: Buffer;
  seq = 0;
  isSealed = false;
  ordinal: number | undefined;
  startedMicros: number | undefined;
  beside: VerifiedSession['beside'];

  constructor(session: SessionToVerify) {
    this.#session = session;
    const logged = session.leaves.map(({ kind, number }) => (kind === 'open' ? 0 : number));
    this.#wanted = new Set([...logged, ...(session.seen ?? []).map(({ seq }) => seq)]);
    this.#previous = firstPrevious(session.idBytes);
  }

  async run(): Promise<Verdict | undefined> {
    try {
      for await (const entry of this.#session.entries) {
        const found = this.#follow(entry);
        if (found) return found;
      }
    } catch (error) {
      if (error instanceof CutOff) return { verdict: 'TRUNCATED', at: this.seq, why: error.message };
      if (error instanceof RangeError) return altered(this.seq, error.message);
      throw error;
    }
    return this.seq === 0 ? { verdict: 'TRUNCATED', at: 0, why: 'there is no entry' } : undefined;
  }

  #follow(entry: Buffer): Verdict | undefined {
    const header = decodeHeader(entry);
    const found = this.#place(header) ?? this.#payload(entry, header);
    if (found) return found;
    this.#previous = entryHash(entry);
    if (this.#wanted.has(this.seq)) this.hashes.set(this.seq, this.#previous);
    this.isSealed = header.kind === 'seal';
    this.seq += header.events;
    return undefined;
  }

  #place({ seq, previous, kind }: EntryHeader): Verdict | undefined {
    if (seq > this.seq) return { verdict: 'GAP', at: this.seq, why: `entry ${seq} stands where ${this.seq} is due` };
    if (seq < this.seq) return altered(this.seq, `entry ${seq} stands where ${this.seq} is due`);
    if (this.isSealed) return altered(seq, 'it stands behind the seal');
    if (!this.#previous.equals(previous)) return altered(seq, 'it does not follow from the entry before');
    return (seq === 0) === (kind === 'genesis') ? undefined : altered(seq, 'misplaced genesis entry');
  }

  #payload(entry: Buffer, { seq, commitment, kind }: EntryHeader): Verdict | undefined {
    if (entry.length === headerBytes) return this.#erased(seq, commitment);
    if (!commitmentHolds(entry)) return altered(seq, 'its payload is not the one that was committed to');
    if (kind === 'note') this.#note(entry);
    if (seq > 0) return undefined;
    const { header, body } = decodeEntry(entry);
    if (body.kind !== 'genesis' || !this.#session.idBytes.equals(body.sessionId))
      return altered(0, 'the genesis entry is another session’s');
    this.ordinal = body.ordinal;
    this.startedMicros = header.timeMicros;
    this.beside = { agent: body.agent, standing: body.colocated ? 'colocated' : 'independent' };
    return undefined;
  }

  /** The gateway says that the agent was not shown what was recorded. */
  #note(entry: Buffer): void {
    if (this.beside && noteName(entry) === 'unwitnessed') this.beside.standing = 'unseen';
  }

  #erased(seq: number, commitment: Uint8Array): Verdict | undefined {
    this.erased.push(seq);
    const isLogged = this.#session.leaves.some(
      ({ kind, number, digest }) => kind === 'erased' && number === seq && digest.equals(commitment),
    );
    return isLogged ? undefined : altered(seq, 'its payload is gone, and the log does not say that it was erased');
  }
}

function noteName(entry: Buffer): string | undefined {
  try {
    const { body } = decodeEntry(entry);
    return body.kind === 'note' ? body.name : undefined;
  } catch (error) {
    if (error instanceof RangeError) return undefined; // of a newer gateway
    throw error;
  }
}

const altered = (at: number, why: string): Verdict => ({ verdict: 'ALTERED', at, why });

/** A chain that holds in itself, against the log and against what an agent has seen. */
function compared({ leaves, seen = [] }: SessionToVerify, walk: Walk): Verdict {
  const logged = comparedWithLog(leaves, walk);
  const other = comparedWithSeen(seen, { entries: walk.seq, hashes: walk.hashes });
  return other ? worst([logged, other])! : logged;
}

function comparedWithLog(leaves: readonly Leaf[], walk: Walk): Verdict {
  const open = leaves.find(({ kind }) => kind === 'open');
  if (!open) return { verdict: 'UNLOGGED', why: 'the log has no leaf that opens this session' };
  if (walk.ordinal !== undefined && open.number !== walk.ordinal)
    return altered(0, `it says that it is session ${walk.ordinal} of the gateway, the log says ${open.number}`);
  for (const { kind, number, digest } of leaves) {
    if (!anchorKinds.has(kind)) continue;
    const seq = kind === 'open' ? 0 : number;
    if (seq >= walk.seq) return { verdict: 'TRUNCATED', at: walk.seq, why: `the log has entry ${seq}` };
    // A number inside a group is no entry's.
    if (!walk.hashes.get(seq)?.equals(digest))
      return altered(seq, 'it, or one before it, is not the one that was logged');
  }
  const end = leaves.find(({ kind }) => endKinds.has(kind));
  if (end && walk.seq > end.number + 1) return altered(end.number + 1, 'the log has ended before it');
  if (end && !walk.isSealed) return altered(end.number, 'the log says that it is the seal');
  if (!end) return { verdict: 'VALID_OPEN', why: 'the log has no end of this session yet' };
  if (walk.erased.length > 0) return { verdict: 'VALID_ERASED', why: `erased: ${walk.erased.join(', ')}` };
  return { verdict: 'VALID', why: 'whole, and logged to its end' };
}
