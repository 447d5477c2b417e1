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

interface Watched {
  chain: SessionChain;
  sealed: boolean;
  fault: UserError | undefined;
  /** Streams whose bytes wait for an entry. */
  waiting: Set<Waiting>;
}

/** How far a session was seen. */
type Seen = Omit<WitnessedHead, 'hash'> & { hash: Uint8Array };

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
  /** Seen, and not on the list yet. */
  readonly #unlisted = new Map<string, Seen>();
  #entriesUnlisted = 0;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  /** A write waits for the one that is under way. */
  #isWriteDue = false;
  #failure: UserError | undefined;

  readonly cosigner: Cosigner;

  private constructor(list: WitnessList, cosigner: Cosigner, log: Log) {
    this.#list = list;
    this.cosigner = cosigner;
    this.#log = log;
    for (const [session, head] of list.open)
      this.#unsealed.set(session, { ...head, hash: Buffer.from(head.hash, 'hex') });
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
    const session = this.#nameOf(sessionId);
    const watched = this.#watch(session, sessionId);
    if (watched.fault) return undefined; // said already
    try {
      if (watched.sealed) throw new ChainFault(watched.chain.seq, 'stands after the seal');
      watched.chain.follow(entry);
      watched.sealed = kindOf(entry) === 'seal';
      this.#compare(session, watched.chain, watched.sealed);
    } catch (error) {
      if (!(error instanceof ChainFault)) throw error;
      watched.fault = refused(session, error.message);
      this.#alarm(session, error.message);
      for (const { wake } of watched.waiting) wake();
      return { session, why: error.message, ...(error instanceof CutOff && { truncated: true }) };
    }
    this.#remember(session, watched);
    for (const { seq, wake } of watched.waiting) if (seq < watched.chain.seq) wake();
    return undefined;
  }

  #lastId: Uint8Array = new Uint8Array(0);
  #lastName = '';

  /** Entries of one session come in runs. */
  #nameOf(sessionId: Uint8Array): string {
    if (Buffer.compare(this.#lastId, sessionId) !== 0) {
      this.#lastId = Uint8Array.from(sessionId);
      this.#lastName = formatSessionId(sessionId);
    }
    return this.#lastName;
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
    await this.#write();
  }

  async close(): Promise<void> {
    await this.unlinked();
    await this.#list.close();
  }

  /** What is shown again has to be what was seen, and to go as far. */
  #compare(session: string, chain: SessionChain, isSeal: boolean): void {
    const seen = this.#unsealed.get(session);
    const seq = chain.seq - 1;
    if (seen?.seq === seq && Buffer.compare(seen.hash, chain.head) !== 0)
      throw new ChainFault(seq, 'is not the one that was seen here');
    if (seen && isSeal && seq < seen.seq)
      throw new CutOff(seq, `the record was cut off: it ends here, and entry ${seen.seq} was seen`);
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
    const watched = {
      chain: new SessionChain(sessionId),
      sealed: false,
      fault: undefined,
      waiting: new Set<Waiting>(),
    };
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

  #remember(session: string, { chain, sealed }: Watched): void {
    const head = { session, seq: chain.seq - 1, hash: chain.head, sealed };
    const seen = this.#unsealed.get(session);
    if (seen && head.seq <= seen.seq && !sealed) return; // shown again
    if (sealed) this.#sessions.delete(session);
    if (sealed) this.#unsealed.delete(session);
    else this.#unsealed.set(session, head);
    this.#unlisted.set(session, head);
    if (++this.#entriesUnlisted >= limits.witnessEntries) void this.#write();
    else this.#timer ??= setTimeout(() => void this.#write(), limits.witnessMillis);
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
    const heads = [...this.#unlisted.values()].map((head) => ({ ...head, hash: hex(head.hash) }));
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

const hex = (hash: Uint8Array): string => Buffer.from(hash).toString('hex');

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
