import { randomBytes } from 'node:crypto';
import { checkpointText, parseCheckpoint } from '../recording/checkpoint.ts';
import { commitAct, commitAgent, decodeLeaf, encodeLeaf, type Leaf, type LeafKind } from '../recording/leaf.ts';
import { treeRoot } from '../recording/merkle.ts';
import { formatVerifierKey, type VerifierKey } from '../recording/note.ts';
import { isSignedBy } from '../recording/rollover.ts';
import type { Clock } from '../shared/clock.ts';
import { UserError } from '../shared/errors.ts';
import { limits } from '../shared/limits.ts';
import { ActStore } from '../store/act-store.ts';
import { LogStore } from '../store/log-store.ts';
import type { LogKeyStore } from './log-key.ts';
import { LoggedSessions } from './log-sessions.ts';
import { LogSigner } from './log-signer.ts';

export interface LoggedHead {
  seq: number;
  hash: Uint8Array;
  isSeal: boolean;
}

/** A session's recording, as far as the log has to know it. */
export interface LoggedSession {
  readonly idBytes: Uint8Array;
  readonly ordinal: number;
  /** Number and hash of the last entry that was appended, and whether it is the seal. */
  head(): LoggedHead;
  readonly genesisHash: Uint8Array;
  /** Resolves when all that was appended so far is durable. */
  durable(): Promise<void>;
}

export interface EndedSession {
  idBytes: Uint8Array;
  ordinal: number;
  genesisHash: Uint8Array;
  /** Number and hash of the seal. */
  seq: number;
  hash: Uint8Array;
  interrupted: boolean;
  /** Leaves that the log had when the session was opened, as its genesis entry says. */
  logSize: number;
}

export interface LogOptions {
  dataDir: string;
  keys: LogKeyStore;
  clock: Clock;
  /** Called while nothing can be logged for longer than the bound: sessions have to end. */
  onFailure: (error: UserError) => void;
  /** Bounds that tests make smaller (shared/limits.ts has the product's). */
  checkpointMillis?: number;
  failingMillisMax?: number;
}

interface LogParts {
  store: LogStore;
  acts: ActStore;
  sessions: LoggedSessions;
  signer: LogSigner;
}

/**
 * The transparency log of one gateway. It has one sequencer, `checkpoint`: what has become durable in the journal since the last one is
 * given its place, written, and signed, in this order. OPEN follows from the genesis entry, which is durable before anything is
 * forwarded: a crash in between loses no leaf, as the next start logs what it finds.
 */
export class TransparencyLog {
  readonly #options: LogOptions;
  readonly #store: LogStore;
  readonly #acts: ActStore;
  readonly #signer: LogSigner;
  readonly sessions: LoggedSessions;
  readonly #live = new Map<LoggedSession, { opened: boolean; seq: number }>();
  #queue: Leaf[] = [];
  #signedSize = 0;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #failingSince: number | undefined;
  #failure: UserError | undefined;
  /** Called with each new checkpoint; what it does is not waited for. */
  onPublished: (note: string, size: number) => void = () => undefined;

  private constructor(options: LogOptions, parts: LogParts) {
    this.#options = options;
    this.#store = parts.store;
    this.#acts = parts.acts;
    this.sessions = parts.sessions;
    this.#signer = parts.signer;
  }

  /** Reads the log, and checks it against its own last checkpoint. Throws HOOP_RECORD_DAMAGED. Nothing is written yet. */
  static async open(options: LogOptions): Promise<TransparencyLog> {
    const sessions = new LoggedSessions();
    const actSalts = new Set<string>();
    const signer = new LogSigner(options.keys);
    const store = await LogStore.open(options.dataDir, (bytes, index) => {
      const leaf = decodedLeaf(bytes, index);
      sessions.add(leaf, index);
      signer.saw(leaf, index);
      if (leaf.kind === 'admin') actSalts.add(leaf.subject.toString('hex'));
    }).catch((error: unknown) => Promise.reject(cannotLog(error)));
    const acts = await ActStore.open(options.dataDir).catch((error: unknown) => Promise.reject(cannotLog(error)));
    const log = new TransparencyLog(options, { store, acts, sessions, signer });
    await log.#checkOwnCheckpoint();
    signer.dropUnannounced();
    if (signer.keysAnnounced === 0) log.#add('key', randomBytes(16), 0, log.key.publicKey);
    log.#add('boot', randomBytes(16), store.size, store.root());
    for (const act of await acts.list()) {
      if (!actSalts.has(act.salt.toString('hex'))) log.#add('admin', act.salt, 0, commitAct(act.salt, act.text));
    }
    return log;
  }

  /** Leaves under the last checkpoint. */
  get signedSize(): number {
    return this.#signedSize;
  }

  get checkpointNow(): Promise<string | undefined> {
    return this.#store.checkpoint();
  }

  get store(): LogStore {
    return this.#store;
  }

  /** The one that signs now. */
  get key(): VerifierKey {
    return this.#signer.key;
  }

  get verifierKey(): string {
    return formatVerifierKey(this.key);
  }

  /** Throws HOOP_RECORDER while nothing can be logged: no session may be opened then. */
  assertWritable(): void {
    if (this.#failure) throw this.#failure;
  }

  /** Logs a session from now on: OPEN, HEADs and CLOSE follow what becomes durable of it. */
  follow(session: LoggedSession): void {
    this.#live.set(session, { opened: false, seq: 0 });
  }

  /**
   * A session that recovery found sealed, or has sealed: whatever the log does not know of it yet. Throws HOOP_RECORD_DAMAGED when it was
   * recorded beside a longer log than this one: going on would sign a fork.
   */
  addEnded(ended: EndedSession): void {
    if (ended.logSize > this.#store.size)
      throw notOurs(`a recording was made when it had ${ended.logSize} leaves, and it has ${this.#store.size}`);
    const id = Buffer.from(ended.idBytes);
    const known = this.sessions.get(id);
    if (known?.ended || (!known && this.sessions.hasOrdinal(ended.ordinal))) return;
    if (!known) this.#add('open', id, ended.ordinal, Buffer.from(ended.genesisHash));
    this.#add(ended.interrupted ? 'interrupted' : 'close', id, ended.seq, Buffer.from(ended.hash));
  }

  /** An administrative act; its text is durable when it resolves, and its leaf comes with the next checkpoint. */
  async act(text: Buffer): Promise<void> {
    const salt = randomBytes(16);
    await this.#acts.write(salt, text);
    this.#add('admin', salt, 0, commitAct(salt, text));
  }

  /** What is about to be done to a recording: the leaves are durable and signed when it resolves. */
  async announce(
    kind: 'erased' | 'removed',
    leaves: readonly Pick<Leaf, 'subject' | 'number' | 'digest'>[],
  ): Promise<void> {
    await this.checkpoint(); // what is said of a session stands behind its OPEN, also where it has only just ended
    for (const { subject, number, digest } of leaves) this.#add(kind, subject, number, digest);
    await this.checkpoint();
  }

  /** The proofs that each key of this log was followed by the next. */
  async rollovers(): Promise<string[]> {
    const proofs: string[] = [];
    for (let number = 1; number < this.#signer.keysAnnounced; number++) {
      const proof = await this.#store.rollover(number);
      if (proof !== undefined) proofs.push(proof);
    }
    return proofs;
  }

  /** A checkpoint of this log that a key before may have signed, with what others have signed: signed by the one that signs now. */
  async signedNow(note: string): Promise<string> {
    const parsed = parseCheckpoint(note);
    if (isSignedBy(parsed, this.key)) return note;
    const { size, root } = parsed.checkpoint;
    const isOurs = size <= this.#signedSize && root.equals(await treeRoot(size, this.#store.readHash));
    return isOurs ? this.#signer.sign(parsed.note.text, parsed.note.signatures) : note;
  }

  /** A key that is to follow the one that signs now; nothing of it is in the log yet, and a start would drop it. */
  prepareKey(): VerifierKey {
    return this.#signer.prepareNext();
  }

  /** The log signs with this key when it resolves, and the proof that the old one said so is there (log-signer.ts). */
  async rollOver({ publicKey }: VerifierKey): Promise<void> {
    const isQueued = this.#queue.some(({ kind, digest }) => kind === 'key' && digest.equals(publicKey));
    if (!isQueued && !this.#signer.isAnnounced(publicKey))
      this.#add('key', randomBytes(16), this.#signer.keysAnnounced, publicKey);
    await this.checkpoint();
  }

  /** An agent's key was pinned. */
  agentKey(publicKey: Uint8Array): void {
    const salt = randomBytes(16);
    this.#add('agent', salt, 0, commitAgent(salt, publicKey));
  }

  /** Begins to publish a checkpoint at least every second while there is news. */
  start(): void {
    this.#timer = setInterval(
      () => void this.checkpoint().catch(() => undefined),
      this.#options.checkpointMillis ?? limits.checkpointMillis,
    );
  }

  /** The last checkpoint, of all that is durable. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.checkpoint().catch(() => undefined); // the next start logs what is missing
  }

  /** Gives all news its place, makes it durable, signs it. Nothing happens without news. Rejects when the files cannot be written. */
  async checkpoint(): Promise<void> {
    while (this.#running) await this.#running.catch(() => undefined);
    this.#running = this.#checkpoint();
    try {
      await this.#running;
      this.#failingSince = undefined;
      this.#failure = undefined;
    } catch (error) {
      const failure = cannotLog(error);
      this.#failed(failure);
      throw failure;
    } finally {
      this.#running = undefined;
    }
  }

  async #checkpoint(): Promise<void> {
    await this.#collect();
    for (const leaf of this.#queue.splice(0)) this.#append(leaf);
    if (this.#store.size > this.#signedSize || this.#signer.owesProof) await this.#publish();
    this.#signer.adoptNext(this.#signedSize);
    if (this.#signer.owesProof) await this.#publish(); // the new key's first
  }

  async #publish(): Promise<void> {
    await this.#store.flush();
    await this.#signer.prove(this.#store);
    const size = this.#store.size;
    const text = checkpointText({ origin: this.key.name, size, root: this.#store.root() });
    const note = this.#signer.sign(text);
    await this.#store.publish(note);
    this.#signedSize = size;
    this.onPublished(note, size);
  }

  /** What became durable of live sessions since the last time. */
  async #collect(): Promise<void> {
    const news = [...this.#live].filter(([session, known]) => !known.opened || session.head().seq > known.seq);
    const heads = news.map(([session]) => session.head()); // now: what is appended while we wait may not be durable then
    const durable = await Promise.allSettled(news.map(([session]) => session.durable()));
    news.forEach(([session, known], place) => {
      const head = heads[place]!;
      // Where the journal failed, recovery seals what was durable, and `addEnded` hears of it.
      const isDurable = durable[place]!.status === 'fulfilled';
      if (isDurable) this.#logHead(session, known, head);
      if (!isDurable || head.isSeal) this.#live.delete(session);
    });
  }

  #logHead(session: LoggedSession, known: { opened: boolean; seq: number }, head: LoggedHead): void {
    const id = Buffer.from(session.idBytes);
    if (!known.opened) this.#add('open', id, session.ordinal, Buffer.from(session.genesisHash));
    if (head.seq > known.seq) this.#add(head.isSeal ? 'close' : 'head', id, head.seq, Buffer.from(head.hash));
    known.opened = true;
    known.seq = head.seq;
  }

  #add(kind: LeafKind, subject: Buffer, number: number, digest: Buffer): void {
    this.#queue.push({ kind, timeMicros: this.#options.clock.nowMicros(), subject, number, digest });
  }

  #append(leaf: Leaf): void {
    this.sessions.add(leaf, this.#store.size);
    this.#signer.saw(leaf, this.#store.size);
    this.#store.append(encodeLeaf(leaf));
  }

  /** A disk may falter; past the bound the sessions end, and none is opened until the log can be written again. */
  #failed(failure: UserError): void {
    const now = this.#options.clock.monotonicMicros();
    this.#failingSince ??= now;
    if (now - this.#failingSince < (this.#options.failingMillisMax ?? limits.durableMillisMax) * 1000) return;
    this.#failure = failure;
    this.#options.onFailure(failure);
  }

  /** A log that does not begin with what was signed must never be signed again: that would be a fork. */
  async #checkOwnCheckpoint(): Promise<void> {
    const text = await this.#store.checkpoint();
    if (text === undefined) return;
    const { checkpoint, note } = this.#parsed(text);
    if (!this.#signer.knows({ checkpoint, note })) throw notOurs('its checkpoint is not signed by this gateway’s key');
    if (checkpoint.size > this.#store.size)
      throw notOurs(`it has ${this.#store.size} leaves, and ${checkpoint.size} were signed`);
    if (!checkpoint.root.equals(await treeRoot(checkpoint.size, this.#store.readHash)))
      throw notOurs('its leaves are not those that were signed');
    this.#signedSize = checkpoint.size;
  }

  #parsed(text: string): ReturnType<typeof parseCheckpoint> {
    try {
      return parseCheckpoint(text);
    } catch (error) {
      throw notOurs((error as Error).message);
    }
  }
}

function decodedLeaf(bytes: Buffer, index: number): Leaf {
  try {
    return decodeLeaf(bytes);
  } catch (error) {
    throw notOurs(`leaf ${index}: ${(error as Error).message}`);
  }
}

const cannotLog = (cause: unknown): UserError =>
  cause instanceof UserError
    ? cause
    : new UserError('HOOP_RECORDER', `the log cannot be written: ${(cause as Error).message}`, {
        next: 'look at the disk of the data directory; sessions can be opened again when it takes files',
        cause,
      });

const notOurs = (why: string): UserError =>
  new UserError('HOOP_RECORD_DAMAGED', `the transparency log is not the one that this gateway wrote: ${why}`, {
    next: 'restore the data directory, whole, from a backup; `hoop verify` says what is wrong with this one',
  });
