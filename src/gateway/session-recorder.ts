import type { Event, EventSink, Sequence } from '../protocol/event.ts';
import { SessionChain } from '../recording/chain.ts';
import type { Entry, EntryBody } from '../recording/entry.ts';
import { sharedBytes } from '../recording/entry-codec.ts';
import { EventGroup } from '../recording/event-group.ts';
import type { Genesis } from '../recording/genesis.ts';
import { SessionLedger, type SessionCounters } from '../recording/ledger.ts';
import type { Clock } from '../shared/clock.ts';
import { assert, UserError } from '../shared/errors.ts';
import { countCarried } from '../shared/heap.ts';
import type { Journal, JournalSession } from '../store/journal.ts';
import type { Sealer } from './sealer.ts';

export interface SessionRecorderParts {
  journal: Journal;
  sealer: Sealer;
  clock: Clock;
  salts: () => Uint8Array;
  /** Told of every entry, in order, as soon as it is appended; it may neither change nor keep the bytes. */
  onAppended?: ((id: string, entry: Buffer) => void) | undefined;
}

/** What is known of a client connection when it opens. */
export interface StreamFacts {
  /** About the connecting process, as the client's kernel says: recorded as declared. */
  evidence?: Record<string, string | number | undefined>;
}

/** Where one stream's decoder puts its events. */
export interface StreamRecorder extends EventSink {
  /** What `act` appends is one entry as far as it fits in one, and is appended when `act` returns or throws. */
  together<Given, Result>(act: (given: Given) => Result, given: Given): Result;
  /** Ends the stream in the record; statements without an outcome become `unknown`. Idempotent, never throws. */
  close(reason: string): void;
}

/** One session's recording while it grows. Order of appending = order of durability. */
export class SessionRecorder {
  readonly #parts: SessionRecorderParts;
  readonly #journalSession: JournalSession;
  /** A failure of the journal ends this recorder for good: what it has in hand was not durable, and others may not be written again. */
  readonly #epoch: number;
  readonly #chain: SessionChain;
  readonly #ledger = new SessionLedger();
  #sealing: Promise<void> | undefined;
  #sealed = false;
  #lastMicros = 0;
  readonly #followers = new Set<(entry: Buffer) => void>();
  /** The stream whose step is gathered now. */
  #open: number | undefined;
  readonly #group = new EventGroup();

  constructor(idBytes: Uint8Array, parts: SessionRecorderParts) {
    this.#parts = parts;
    this.#journalSession = parts.journal.begin(idBytes);
    this.#epoch = parts.journal.epoch;
    this.#chain = new SessionChain(idBytes);
  }

  get id(): string {
    return this.#journalSession.id;
  }

  /** The last entry that was appended. */
  get head(): { seq: number; hash: Uint8Array; isSeal: boolean } {
    return { seq: this.#chain.lastSeq, hash: this.#chain.head, isSeal: this.#sealed };
  }

  /** Live: the same object for the life of the session. */
  get counters(): Readonly<SessionCounters> {
    return this.#ledger.counters;
  }

  /** Something was asked and is not answered yet. */
  get isAnswering(): boolean {
    return this.#ledger.openStatements.size > 0;
  }

  /** When the last entry was appended. */
  get lastMicros(): number {
    return this.#lastMicros;
  }

  /** Appends the genesis entry; its time. */
  begin(genesis: Genesis): number {
    const timeMicros = this.#parts.clock.nowMicros();
    this.#append(0, { kind: 'genesis', ...genesis }, timeMicros);
    return timeMicros;
  }

  /** Goes on behind an entry that is recorded already (recovery), with the events that it holds. Throws ChainFault, RangeError. */
  follow(encoded: Uint8Array, events: readonly Entry[]): void {
    this.#chain.follow(encoded);
    for (const { header, body } of events) {
      this.#ledger.add(header.seq, header.stream, body);
      this.#sealed = body.kind === 'seal';
    }
  }

  get isSealed(): boolean {
    return this.#sealed;
  }

  /** Opens a stream in the record. `ordinal`: from 1, each once. */
  stream(ordinal: number, { evidence = {} }: StreamFacts = {}): StreamRecorder {
    const known = Object.entries(evidence).filter(([, value]) => value !== undefined);
    const facts = Object.fromEntries(known.map(([name, value]) => [name, String(value)]));
    this.#append(ordinal, { kind: 'stream-open', facts });
    return {
      append: (event: Event): Sequence => this.#append(ordinal, event),
      together: (act, given) => this.#together(ordinal, act, given),
      close: (reason) => {
        if (this.#sealed || !this.#ledger.openStreams.has(ordinal)) return;
        try {
          this.#closeStream(ordinal, reason);
        } catch {
          // The journal has said so to everybody; a stream that stays open in the record is closed by the seal or by recovery.
        }
      },
    };
  }

  /** Calls with every entry that is appended from now on, which is not durable yet and good until it returns; the function that ends it. */
  onEntry(follower: (entry: Buffer) => void): () => void {
    this.#followers.add(follower);
    return () => void this.#followers.delete(follower);
  }

  /** Something of the session as a whole that a reader should know. */
  note(name: string, facts: Record<string, string>): Sequence {
    return this.#append(0, { kind: 'note', name, facts });
  }

  /** Resolves when everything appended so far is durable; rejects with HOOP_RECORDER when that can no longer be. */
  durable(): Promise<void> {
    return this.#parts.journal.durable(this.#epoch);
  }

  /**
   * Ends the recording: open streams are closed, the seal is made durable, then the recording goes to the archive and the catalog.
   * Idempotent. When it rejects, the journal still has what was durable, and the next start goes on from there.
   */
  seal(reason: string): Promise<void> {
    this.#sealing ??= this.#finish(reason, false);
    return this.#sealing;
  }

  /** As `seal`, for a session that a crash ended: says so after its last durable entry. */
  sealInterrupted(): Promise<void> {
    this.#sealing ??= this.#finish('interrupted', true);
    return this.#sealing;
  }

  async #finish(reason: string, interrupted: boolean): Promise<void> {
    if (interrupted && !this.#ledger.interrupted)
      this.#append(0, { kind: 'interrupted', lastDurable: this.#chain.lastSeq });
    for (const stream of this.#ledger.openStreams) this.#closeStream(stream, reason);
    this.#answerUnknown(() => true);
    this.#append(0, { kind: 'seal', reason, entries: this.#chain.seq + 1, ...this.#ledger.counters });
    this.#sealed = true;
    await this.durable();
    await this.#parts.sealer.archive(this.#journalSession);
  }

  #closeStream(stream: number, reason: string): void {
    this.#answerUnknown((other) => other === stream);
    this.#append(stream, { kind: 'stream-close', reason });
  }

  #answerUnknown(which: (stream: number) => boolean): void {
    for (const [of, stream] of this.#ledger.openStatements)
      if (which(stream)) this.#append(stream, { kind: 'outcome', of, status: 'unknown' });
  }

  #together<Given, Result>(stream: number, act: (given: Given) => Result, given: Given): Result {
    assert(this.#open === undefined, 'one step at a time');
    this.#open = stream;
    try {
      return act(given);
    } finally {
      this.#open = undefined;
      this.#appendGroup(stream);
    }
  }

  #append(stream: number, body: EntryBody, timeMicros?: number): Sequence {
    if (this.#sealed) {
      throw new UserError('HOOP_SESSION_ENDED', `the recording of session ${this.id} is sealed`, {
        next: 'open a new session',
      });
    }
    if (this.#open !== undefined) {
      assert(this.#open === stream, 'a step is one stream’s');
      if (this.#gathers(stream, body)) return this.#chain.seq + this.#group.events.length - 1;
    }
    return this.#appendAlone(stream, body, timeMicros);
  }

  /** False for what cannot be part of a group; what was gathered before it is appended then. */
  #gathers(stream: number, body: EntryBody): boolean {
    if (this.#group.add(body)) return true;
    this.#appendGroup(stream);
    return this.#group.add(body);
  }

  #appendAlone(stream: number, body: EntryBody, timeMicros = this.#parts.clock.nowMicros()): Sequence {
    const entry = this.#chain.next(stream, body, timeMicros, this.#parts.salts());
    const sequence = this.#chain.seq;
    this.#appendEntry(entry, timeMicros);
    this.#ledger.add(sequence, stream, body);
    return sequence;
  }

  #appendGroup(stream: number): void {
    const group = this.#group;
    if (group.events.length === 0) return;
    try {
      const timeMicros = this.#parts.clock.nowMicros();
      let sequence = this.#chain.seq;
      this.#appendEntry(this.#chain.nextGroup(stream, group, timeMicros, this.#parts.salts()), timeMicros);
      for (const event of group.events) this.#ledger.add(sequence++, stream, event);
    } finally {
      group.clear();
    }
  }

  #appendEntry(entry: Buffer, timeMicros: number): void {
    this.#parts.journal.append(this.#journalSession, entry, this.#epoch);
    this.#chain.accept(entry);
    this.#lastMicros = timeMicros;
    this.#parts.onAppended?.(this.id, entry);
    if (this.#followers.size > 0) for (const follower of this.#followers) follower(entry);
    if (entry.length > sharedBytes) countCarried(entry.length);
  }
}
