import { checkedEntries } from '../recording/chain.ts';
import { decodeEntry, headerBytes } from '../recording/entry-codec.ts';
import type { Entry } from '../recording/entry.ts';
import { createGenesis, type SessionFacts } from '../recording/genesis.ts';
import { parseSessionId, sessionIdBytes } from '../recording/session-id.ts';
import type { Clock, Timers } from '../shared/clock.ts';
import { UserError } from '../shared/errors.ts';
import { limits } from '../shared/limits.ts';
import { version } from '../shared/version.ts';
import { Archive, type ArchiveOptions } from '../store/archive.ts';
import type { Catalog } from '../store/catalog.ts';
import type { JournalFault } from '../store/journal-scan.ts';
import { Journal } from '../store/journal.ts';
import { recoverLogged } from './log-recovery.ts';
import type { TransparencyLog } from './log.ts';
import type { Recovered } from './recovery.ts';
import { Sealer } from './sealer.ts';
import { SessionRecorder, type StreamRecorder } from './session-recorder.ts';

export { SessionRecorder, type SessionFacts, type StreamRecorder };

export interface RecorderOptions {
  dataDir: string;
  catalog: Catalog;
  clock: Clock;
  randomBytes: (size: number) => Uint8Array;
  /** Of the key that signs the log now. */
  gatewayKeyId: () => string;
  /** Every session of a gateway is logged; without one (`hoop gateway reindex`) the next start logs what is recovered here. */
  log?: TransparencyLog;
  /** The highest number of a session of each agent whose recording was removed. */
  removedOrdinals?: () => ReadonlyMap<string, number>;
  /** Called when nothing can be recorded any more (disk full, failed, too slow): all sessions have to end, see `resume`. */
  onFailure: (error: UserError) => void;
  /** Bounds that tests make smaller (shared/limits.ts has the product's). */
  segmentBytes?: number;
  pendingBytesMax?: number;
  durableMillisMax?: number;
  quickAfterWrites?: number;
  /** What a simulation brings of its own; absent: the system's. */
  world?: ArchiveOptions & { timers?: Timers };
}

/** Everything that is recorded by one gateway, from an event to disk and back. */
export class Recorder {
  readonly #options: RecorderOptions;
  readonly #journal: Journal;
  readonly #archive: Archive;
  readonly #sealer: Sealer;
  readonly #salts: () => Uint8Array;
  #agentOrdinals: Map<string, number>;
  #ordinal: number;
  /** What the last failure left is not ended yet. */
  #hasFailed = false;
  #resuming: Promise<Recovered> | undefined;
  #triedMicros = -Infinity;
  /** Sessions of the last run that had not ended; they are sealed as interrupted. */
  readonly interrupted: number;
  /** Sessions of which the journal has entries that cannot be read in full; they stay in the journal. */
  readonly damaged: readonly string[];
  /** Places in the journal that cannot be read. */
  readonly faults: readonly JournalFault[];

  private constructor(
    options: RecorderOptions,
    parts: { journal: Journal; archive: Archive; sealer: Sealer; salts: () => Uint8Array },
    recovered: Recovered,
  ) {
    this.#options = options;
    this.#journal = parts.journal;
    this.#archive = parts.archive;
    this.#sealer = parts.sealer;
    this.#salts = parts.salts;
    this.#ordinal = recovered.ordinal;
    this.#agentOrdinals = agentOrdinals(options);
    this.interrupted = recovered.interrupted;
    this.damaged = recovered.damaged;
    this.faults = parts.journal.faults;
  }

  static async open(options: RecorderOptions): Promise<Recorder> {
    const { dataDir, catalog, clock, onFailure, segmentBytes, pendingBytesMax, durableMillisMax } = options;
    const { quickAfterWrites, world = {} } = options;
    let opened: Recorder | undefined; // until then a failure is thrown, and nobody is there to be told
    const journal = await Journal.open({
      dataDir,
      clock,
      onFailure: (error) => {
        if (!opened) return;
        opened.#hasFailed = true;
        onFailure(error);
      },
      ...(world.disk && { disk: world.disk }),
      ...(world.timers && { timers: world.timers }),
      ...(segmentBytes !== undefined && { segmentBytes }),
      ...(pendingBytesMax !== undefined && { pendingBytesMax }),
      ...(durableMillisMax !== undefined && { durableMillisMax }),
      ...(quickAfterWrites !== undefined && { quickAfterWrites }),
    }).catch(cannotOpen(dataDir));
    const archive = new Archive(dataDir, world);
    const sealer = new Sealer(journal, archive, catalog);
    const salts = saltPool(options.randomBytes);
    const recovered = await recoverLogged({ journal, archive, sealer, catalog, clock, salts }, options.log)
      .catch(cannotOpen(dataDir))
      .catch(async (error: unknown) => {
        await journal.close();
        throw error;
      });
    if (journal.failure) throw journal.failure;
    opened = new Recorder(options, { journal, archive, sealer, salts }, recovered);
    return opened;
  }

  /** Opens a session and appends its genesis entry; nothing may be forwarded before `durable()`. Throws HOOP_RECORDER. */
  openSession(facts: SessionFacts, onAppended?: (id: string, entry: Buffer) => void): SessionRecorder {
    const { randomBytes, clock, catalog, gatewayKeyId, log } = this.#options;
    log?.assertWritable();
    const genesis = createGenesis(facts, {
      sessionId: randomBytes(sessionIdBytes),
      gatewayVersion: version,
      ordinal: this.#ordinal + 1,
      agentOrdinal: (this.#agentOrdinals.get(facts.agent) ?? 0) + 1,
      logSize: log?.signedSize ?? 0,
      gatewayKeyId: gatewayKeyId(),
      principalSalt: randomBytes(16),
    });
    const session = new SessionRecorder(genesis.sessionId, {
      journal: this.#journal,
      sealer: this.#sealer,
      clock,
      salts: this.#salts,
      onAppended,
    });
    const startedMicros = session.begin(genesis);
    const genesisHash = session.head.hash;
    log?.follow({
      idBytes: genesis.sessionId,
      ordinal: genesis.ordinal,
      genesisHash,
      head: () => session.head,
      durable: () => session.durable(),
    });
    this.#ordinal = genesis.ordinal;
    this.#agentOrdinals.set(facts.agent, genesis.agentOrdinal);
    try {
      catalog.openedBy(genesis, startedMicros);
    } catch (error) {
      session.seal('recorder_failed').catch(() => undefined); // the journal keeps what is durable, the caller gets the cause
      return cannotOpen(this.#options.dataDir)(error);
    }
    return session;
  }

  /** After a failure nothing can be recorded before `resume`. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /**
   * After a failure, when all sessions have ended: goes on in a fresh segment if the disk takes one, and seals as interrupted, as a start
   * would, what the failure left. Rejects with HOOP_RECORDER while it does not. May be called by many at a time.
   */
  resume(): Promise<Recovered> {
    this.#resuming ??= this.#resume().finally(() => (this.#resuming = undefined));
    return this.#resuming;
  }

  async #resume(): Promise<Recovered> {
    const { dataDir, clock, catalog } = this.#options;
    const [journal, now] = [this.#journal, clock.monotonicMicros()];
    // Each try may write a segment: clients that come back do not decide how often.
    if (journal.failure && now - this.#triedMicros < limits.recorderRetryMillis * 1000) throw journal.failure;
    this.#triedMicros = now;
    await journal.resume();
    const parts = { journal, archive: this.#archive, sealer: this.#sealer, catalog, clock, salts: this.#salts };
    const recovered = await recoverLogged(parts, this.#options.log).catch(cannotOpen(dataDir));
    if (journal.failure) throw journal.failure;
    this.#ordinal = recovered.ordinal;
    this.#agentOrdinals = agentOrdinals(this.#options);
    this.#hasFailed = false;
    return recovered;
  }

  /** A session's entries, checked: of a live one those that are durable by now. Throws HOOP_NOT_FOUND, HOOP_RECORD_DAMAGED. */
  async *readEntries(id: string): AsyncGenerator<Entry> {
    const { idBytes, entries } = await this.readRaw(id);
    yield* checkedEntries({ id, idBytes }, entries);
  }

  /** The same as they are on disk, unchecked. */
  async readRaw(id: string): Promise<{ idBytes: Uint8Array; entries: AsyncIterable<Buffer> }> {
    const idBytes = parseSessionId(id);
    const live = this.#journal.session(id);
    if (live) return { idBytes: live.idBytes, entries: this.#journal.read(live) };
    const place = this.#options.catalog.place(id);
    const recording = (place && (await this.#archive.at(place))) ?? (await this.#archive.find(id));
    if (!recording || !idBytes) {
      throw new UserError('HOOP_NOT_FOUND', `there is no recording of session ${id}`, {
        next: '`hoop sessions` lists them',
      });
    }
    return { idBytes, entries: this.#archive.read(recording) };
  }

  /** A session's entries as they are on disk, unchecked; undefined when that agent had no such session. */
  async entriesForWitness(id: string, agent: string): Promise<AsyncIterable<Uint8Array> | undefined> {
    const live = this.#journal.session(id);
    const recording = live ? undefined : await this.#archive.find(id);
    const read = () => (live ? this.#journal.read(live) : recording && this.#archive.read(recording));
    for await (const first of read() ?? []) {
      const isErased = first.length === headerBytes;
      const body = isErased ? undefined : decodeEntry(first).body;
      return isErased || (body?.kind === 'genesis' && body.agent === agent) ? read() : undefined;
    }
    return undefined;
  }

  /** For those who change by order what was recorded. */
  get stores(): { journal: Journal; archive: Archive } {
    return { journal: this.#journal, archive: this.#archive };
  }

  /** Makes durable what was appended and lets go of the files. Sessions that are not sealed are recovered at the next start. */
  async close(): Promise<void> {
    await this.#sealer.retry().catch(() => undefined); // at the next start again
    await this.#journal.close();
  }
}

export const openRecorder = (options: RecorderOptions): Promise<Recorder> => Recorder.open(options);

/** The highest of each agent, those of recordings that are gone too. */
function agentOrdinals({ catalog, removedOrdinals }: RecorderOptions): Map<string, number> {
  const highest = catalog.agentOrdinals();
  for (const [agent, ordinal] of removedOrdinals?.() ?? [])
    highest.set(agent, Math.max(ordinal, highest.get(agent) ?? 0));
  return highest;
}

/** 16 fresh random bytes at a time, drawn in larger pieces. */
function saltPool(randomBytes: (size: number) => Uint8Array): () => Uint8Array {
  let pool: Uint8Array = new Uint8Array();
  let at = 0;
  return () => {
    if (at === pool.length) {
      pool = randomBytes(4096);
      at = 0;
    }
    at += 16;
    return pool.subarray(at - 16, at);
  };
}

const cannotOpen =
  (dataDir: string) =>
  (cause: unknown): never => {
    if (cause instanceof UserError) throw cause;
    throw new UserError('HOOP_RECORDER', `nothing can be recorded in ${dataDir}: ${(cause as Error).message}`, {
      next: 'make room on that disk, or make the directory writable for the gateway',
      cause,
    });
  };
