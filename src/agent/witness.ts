import { ChainFault, SessionChain } from '../recording/chain.ts';
import { kindOf } from '../recording/entry-codec.ts';
import { formatSessionId } from '../recording/session-id.ts';
import { UserError } from '../shared/errors.ts';
import { limits } from '../shared/limits.ts';
import type { Log } from '../shared/log.ts';
import { WitnessList, type WitnessedHead } from '../store/witness-list.ts';
import { Cosigner } from './cosigner.ts';
import type { AgentKey } from './key.ts';

/** What cannot be the record of a session. */
interface Refused {
  session: string;
  why: string;
  truncated?: boolean;
}

/** The record ends before what was seen of it. */
class CutOff extends ChainFault {}

/** How far a session was seen. */
interface Seen {
  readonly seq: number;
  readonly hash: Uint8Array;
}

class Watched implements Seen {
  readonly session: string;
  readonly chain: SessionChain;
  /** How far it had been seen before: what is shown again has to go as far. */
  readonly before: Seen | undefined;
  sealed = false;
  fault: UserError | undefined;
  /** Streams whose bytes wait for an entry. */
  readonly waiting = new Set<Waiting>();
  /** It has got further than before. */
  isNews = false;

  constructor(session: string, sessionId: Uint8Array, before: Seen | undefined) {
    this.session = session;
    this.chain = new SessionChain(sessionId);
    this.before = before;
  }

  get seq(): number {
    return this.chain.lastSeq;
  }

  get hash(): Uint8Array {
    return this.chain.head;
  }
}

interface Waiting {
  /** The entry. */
  seq: number;
  wake: () => void;
}

/**
 * Sees the record of every session before the resource sees what it is the record of: each entry follows from the last one, without a
 * gap, and a payload is the one that was committed to. Keeps how far it has seen each session, on disk, out of the gateway's reach.
 */
export class Witness {
  readonly #list: WitnessList;
  readonly #log: Log;
  readonly #sessions = new Map<string, Watched>();
  /** How far sessions were seen whose seal was not. */
  readonly #unsealed = new Map<string, Seen>();
  /** Seen further than they are on the list. */
  readonly #unlisted = new Set<Watched>();
  #entriesUnlisted = 0;
  #timer: NodeJS.Timeout | undefined;
  #writtenAt = -Infinity;
  #writing: Promise<void> = Promise.resolve();
  /** A write waits for the one that is under way. */
  #isWriteDue = false;
  #failure: UserError | undefined;

  readonly cosigner: Cosigner;

  private constructor(list: WitnessList, cosigner: Cosigner, log: Log) {
    this.#list = list;
    this.cosigner = cosigner;
    this.#log = log;
    for (const [session, { seq, hash }] of list.open)
      this.#unsealed.set(session, { seq, hash: Buffer.from(hash, 'hex') });
  }

  static async open(stateDir: string, key: AgentKey, log: Log): Promise<Witness> {
    const cosigner = await Cosigner.open(stateDir, key, log);
    return new Witness(await WitnessList.open(stateDir), cosigner, log);
  }

  /** Sessions whose seal was not seen, newest last: to be shown again after a loss of the link, the agent or the gateway. */
  get unsealed(): string[] {
    return [...this.#unsealed.keys()].slice(-unsealedMax);
  }

  /** The gateway says that it has no recording of a session that was seen here. */
  missing(session: string): void {
    const head = this.#unsealed.get(session);
    if (head) this.#alarm(session, `the gateway has no recording of it, and entry ${head.seq} was seen here`);
  }

  /** Checks one entry; undefined when it follows, else why it does not, which holds for the rest of the session. */
  take(sessionId: Uint8Array, entry: Buffer): Refused | undefined {
    const watched = this.#watchedOf(sessionId);
    if (watched.fault) return undefined; // said already
    const { session } = watched;
    try {
      if (watched.sealed) throw new ChainFault(watched.chain.seq, 'stands after the seal');
      watched.chain.follow(entry);
      watched.sealed = kindOf(entry) === 'seal';
      if (watched.before && !watched.isNews) compare(watched, watched.before);
    } catch (error) {
      if (!(error instanceof ChainFault)) throw error;
      watched.fault = refused(session, error.message);
      this.#alarm(session, error.message);
      for (const { wake } of watched.waiting) wake();
      return { session, why: error.message, ...(error instanceof CutOff && { truncated: true }) };
    }
    this.#remember(watched);
    if (watched.waiting.size > 0) for (const { seq, wake } of watched.waiting) if (seq < watched.chain.seq) wake();
    return undefined;
  }

  #lastId: Uint8Array = new Uint8Array(0);
  #last: Watched | undefined;

  /** Entries of one session come in runs. */
  #watchedOf(sessionId: Uint8Array): Watched {
    if (!this.#last || Buffer.compare(this.#lastId, sessionId) !== 0) {
      this.#lastId = Uint8Array.from(sessionId);
      this.#last = this.#watch(formatSessionId(sessionId), sessionId);
    }
    return this.#last;
  }

  /** Undefined when the entry was checked already; else resolves when it is, and rejects when it cannot be: what waits must not be done. */
  until(session: string, seq: number): Promise<void> | undefined {
    const watched = this.#sessions.get(session);
    const isChecked = watched !== undefined && watched.chain.seq > seq && !watched.fault && !this.#failure;
    return isChecked ? undefined : this.#until(session, seq);
  }

  async #until(session: string, seq: number): Promise<void> {
    const watched = this.#sessions.get(session) ?? (await this.#appeared(session));
    const deadline = Date.now() + limits.witnessWaitMillisMax;
    for (;;) {
      const fault = this.#failure ?? watched.fault;
      if (fault) throw fault;
      if (watched.chain.seq > seq) return;
      const left = deadline - Date.now();
      if (left <= 0) throw refused(session, `entry ${seq} did not come`);
      await woken(watched.waiting, left, seq);
    }
  }

  /** The link is gone, and with it all its sessions. */
  async unlinked(): Promise<void> {
    for (const [session, watched] of this.#sessions) {
      watched.fault ??= refused(session, 'the link to the gateway closed');
      for (const { wake } of watched.waiting) wake();
    }
    this.#sessions.clear();
    this.#last = undefined;
    await this.#write();
  }

  async close(): Promise<void> {
    await this.unlinked();
    await this.#list.close();
  }

  #alarm(session: string, why: string): void {
    this.#log.error(
      { session, why },
      'ALARM: the gateway’s record of a session is not whole; nothing more of it is let through',
    );
  }

  #watch(session: string, sessionId: Uint8Array): Watched {
    const known = this.#sessions.get(session);
    if (known) return known;
    const seen = this.#unsealed.get(session);
    const watched = new Watched(session, sessionId, seen && { seq: seen.seq, hash: seen.hash });
    this.#sessions.set(session, watched);
    for (const { wake } of this.#appearing) wake();
    return watched;
  }

  readonly #appearing = new Set<Waiting>();

  /** The first entries are behind the first stream by a moment at most. */
  async #appeared(session: string): Promise<Watched> {
    const deadline = Date.now() + limits.witnessWaitMillisMax;
    for (;;) {
      const watched = this.#sessions.get(session);
      if (watched) return watched;
      if (Date.now() >= deadline) throw refused(session, 'none of its entries came');
      await woken(this.#appearing, deadline - Date.now(), 0);
    }
  }

  #remember(watched: Watched): void {
    const { session, sealed, before } = watched;
    if (before && watched.seq <= before.seq && !sealed) return; // shown again
    if (sealed) this.#forget(session);
    else if (!watched.isNews) this.#unsealed.set(session, watched);
    watched.isNews = true;
    this.#unlisted.add(watched);
    if (++this.#entriesUnlisted === limits.witnessEntries)
      this.#writeIn(limits.witnessBusyMillis - this.#sinceWritten());
    else if (this.#timer === undefined) this.#writeIn(limits.witnessMillis);
  }

  #sinceWritten(): number {
    return performance.now() - this.#writtenAt;
  }

  #writeIn(millis: number): void {
    clearTimeout(this.#timer);
    if (millis <= 0) void this.#write();
    else this.#timer = setTimeout(() => void this.#write(), millis);
  }

  #forget(session: string): void {
    this.#sessions.delete(session);
    this.#unsealed.delete(session);
    this.#last = undefined;
  }

  /** One write at a time: what is seen while one is under way goes with the next. */
  #write(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#entriesUnlisted = 0;
    if (this.#isWriteDue || this.#unlisted.size === 0) return this.#writing;
    this.#isWriteDue = true;
    this.#writing = this.#writing.then(() => this.#writeUnlisted()).catch((error: unknown) => this.#failed(error));
    return this.#writing;
  }

  async #writeUnlisted(): Promise<void> {
    this.#isWriteDue = false;
    this.#writtenAt = performance.now();
    const heads = [...this.#unlisted].map(headOf);
    this.#unlisted.clear();
    if (!this.#failure) await this.#list.append(heads);
  }

  /** What cannot be witnessed is not let through. */
  #failed(cause: unknown): void {
    this.#failure ??= new UserError(
      'HOOP_RECORDER',
      `the witness’s list cannot be written: ${(cause as Error).message}`,
      {
        next: 'look at the disk of the agent’s stateDir, and start the agent again',
        cause,
      },
    );
    this.#log.error({ error: this.#failure.message }, 'nothing more is let through');
    for (const { waiting } of this.#sessions.values()) for (const { wake } of waiting) wake();
  }
}

/** Asked for at once; those before them stay on the list, where `hoop agent witness` shows them. */
const unsealedMax = 10_000;

const headOf = ({ session, seq, hash, sealed }: Watched): WitnessedHead => ({
  session,
  seq,
  hash: Buffer.from(hash).toString('hex'),
  sealed,
});

/** What is shown again has to be what was seen, and to go as far. */
function compare({ seq, hash, sealed }: Watched, before: Seen): void {
  if (seq === before.seq && Buffer.compare(before.hash, hash) !== 0)
    throw new ChainFault(seq, 'is not the one that was seen here');
  if (sealed && seq < before.seq)
    throw new CutOff(seq, `the record was cut off: it ends here, and entry ${before.seq} was seen`);
}

function woken(waiting: Set<Waiting>, millisMax: number, seq: number): Promise<void> {
  return new Promise((resolve) => {
    const one: Waiting = {
      seq,
      wake() {
        clearTimeout(timer);
        waiting.delete(one);
        resolve();
      },
    };
    const timer = setTimeout(one.wake, millisMax);
    waiting.add(one);
  });
}

const refused = (session: string, why: string): UserError =>
  new UserError('HOOP_PROTOCOL', `the agent’s witness refuses session ${session}: ${why}`, {
    next: 'ask the gateway’s administrator: its record of this session is not whole',
  });
