import { join } from 'node:path';
import { formatSessionId } from '../recording/session-id.ts';
import { systemTimers } from '../shared/clock.ts';
import { UserError } from '../shared/errors.ts';
import { limits } from '../shared/limits.ts';
import { makeDirectory, removeFile, SegmentFile, systemDisk } from './durable.ts';
import { GroupCommit, type Batch } from './group-commit.ts';
import { clearSegment, cutSegment, removeUnfinished, speaksOf } from './journal-clear.ts';
import { extentGapBytes, extentsBefore, readExtents, type Extent } from './journal-extents.ts';
import {
  encodeMark,
  encodeSegmentHeader,
  recordHeadBytes,
  segmentHeaderBytes,
  segmentName,
  segmentNumbers,
} from './journal-format.ts';
import type { JournalOptions } from './journal-options.ts';
import { SegmentUses } from './segment-uses.ts';
import { WritePace } from './write-pace.ts';
import { durableEnds, isBlank, scanSegment, type JournalFault } from './journal-scan.ts';

/** One session's part of the journal. */
export interface JournalSession {
  readonly id: string;
  readonly idBytes: Uint8Array;
  readonly extents: Extent[];
}

/** An attacker who can write the journal's folder can forge what is not sealed yet; one who can read it reads statements. */
export class Journal {
  readonly #directory: string;
  readonly #options: Required<JournalOptions>;
  #commit: GroupCommit;
  readonly #sessions = new Map<string, JournalSession>();
  readonly #uses = new SegmentUses();
  readonly #pace: WritePace;
  readonly #files = new Map<number, Promise<SegmentFile>>();
  readonly faults: JournalFault[] = [];
  /** Where the next record goes. */
  #at = { segment: 0, offset: 0, bytes: 0 };
  #durableAt = { segment: 0, offset: 0 };
  /** Where the last batch went. */
  #written: { segment: number; file: SegmentFile } | undefined;
  #closed = false;
  /** Grows with every failure: what was begun in an earlier epoch can never go on. */
  #epoch = 0;
  #lastFailure: UserError | undefined;
  #isStarting = true;

  private constructor(options: Required<JournalOptions>) {
    this.#options = options;
    this.#directory = join(options.dataDir, 'journal');
    this.#pace = new WritePace(options.quickAfterWrites);
    this.#commit = this.#newCommit();
  }

  #newCommit(): GroupCommit {
    const { pendingBytesMax, durableMillisMax, timers } = this.#options;
    const commit: GroupCommit = new GroupCommit({
      write: (batch) => this.#write(batch, commit),
      pendingBytesMax,
      durableMillisMax,
      lazyMillis: 20,
      timers,
      onFence: (error) => this.#fenced(error),
    });
    return commit;
  }

  /** Reads what is there, then begins a new segment. `faults` names what cannot be read. */
  static async open(options: JournalOptions): Promise<Journal> {
    const journal = new Journal({ ...limits, disk: systemDisk, timers: systemTimers, ...options });
    try {
      await makeDirectory(options.dataDir, journal.#options.disk);
      await makeDirectory(journal.#directory, journal.#options.disk);
      await removeUnfinished(journal.#options.disk, journal.#directory);
      await journal.#readSegments();
      await journal.#startSegment();
      journal.#isStarting = false;
    } catch (error) {
      await journal.#closeFiles(); // what is there is the last run's: a start that failed removes none of it
      throw error;
    }
    return journal;
  }

  /** All sessions that have records here: after `open`, those that recovery has to end. */
  sessions(): JournalSession[] {
    return [...this.#sessions.values()];
  }

  session(id: string): JournalSession | undefined {
    return this.#sessions.get(id);
  }

  /** A session's place; made on first use. */
  begin(idBytes: Uint8Array): JournalSession {
    const id = formatSessionId(idBytes);
    const known = this.#sessions.get(id);
    if (known) return known;
    const session: JournalSession = { id, idBytes, extents: [] };
    this.#sessions.set(id, session);
    return session;
  }

  /** Takes an entry: copies a small one, and owns the buffer of a large one (64 KiB) from now on. Not durable yet. Throws HOOP_RECORDER, and has then changed nothing. */
  append(session: JournalSession, entry: Buffer, epoch = this.#epoch): void {
    if (epoch !== this.#epoch) throw this.#lastFailure!;
    const bytes = recordHeadBytes + entry.length;
    this.#commit.admit(bytes);
    const batch = this.#roomFor(bytes);
    const { segment, offset } = this.#at;
    batch.addRecord(session.idBytes, entry);
    this.#at.offset += bytes;
    this.#remember(session, segment, offset, bytes);
    this.#commit.added(bytes);
  }

  /** To be given to `append` and `durable` by whoever must not outlive a failure. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Why nothing can be recorded now. */
  get failure(): UserError | undefined {
    return this.#commit.fenced;
  }

  /** Resolves when all that was appended so far is durable; rejects with HOOP_RECORDER when that can no longer be. */
  durable(epoch = this.#epoch): Promise<void> {
    return epoch === this.#epoch ? this.#commit.durable() : Promise.reject(this.#lastFailure!);
  }

  /**
   * After a failure: goes on in a fresh segment, which names the last durable offset of the one that failed. What was not durable then is
   * gone for good, also where it reached the disk. Rejects with HOOP_RECORDER while the disk takes nothing.
   */
  async resume(): Promise<void> {
    if (!this.failure) return;
    this.#isStarting = true;
    try {
      await this.#dropWhatFailed();
      this.#commit = this.#newCommit();
      await this.#startSegment();
    } catch (error) {
      this.#commit.fence(error, `the record cannot be written: ${(error as Error).message}`);
      throw this.failure ?? error;
    } finally {
      this.#isStarting = false;
    }
  }

  /** The session's durable entries, in order. Holds about a MiB, or one entry. */
  async *read(session: JournalSession): AsyncGenerator<Buffer> {
    const extents = extentsBefore(session.extents, this.#durableAt);
    const reader = {};
    for (const { segment } of extents) this.#uses.add(segment, reader);
    try {
      yield* readExtents(extents, session, (segment) => this.#options.disk.open(this.#path(segment), 'r'));
    } finally {
      await this.#release(reader);
    }
  }

  /** The session is in the archive: its records are needed no more. Segments that nobody needs are deleted. */
  async forget(session: JournalSession): Promise<void> {
    this.#sessions.delete(session.id);
    await this.#release(session);
  }

  /** Clears what segments that others need still have of sessions that were forgotten, the open one too. Durable when it resolves. */
  async clear(sessions: readonly Uint8Array[]): Promise<void> {
    if (await speaksOf(this.#options.disk, this.#path(this.#durableAt.segment), sessions)) {
      this.#roll(encodeMark(0).length);
      await this.durable();
    }
    const user = {};
    for (const segment of (await this.#segmentNumbers()).filter((each) => each < this.#durableAt.segment)) {
      if (!this.#uses.has(segment)) await this.#remove(segment);
      else this.#uses.add(segment, user);
    }
    try {
      for (const segment of this.#uses.of(user))
        await clearSegment(this.#options.disk, { path: this.#path(segment), segment }, sessions);
    } finally {
      await this.#release(user);
    }
  }

  /** Makes durable what was appended and closes the files. */
  async close(): Promise<void> {
    await this.#closeFiles();
    const unused = this.#uses.isEmpty && !this.#commit.fenced;
    const needless =
      unused && this.faults.length === 0 ? () => true : (segment: number) => segment > (this.#written?.segment ?? 0);
    await this.#removeSegments(needless).catch(() => undefined); // the next start removes what is left
  }

  async #closeFiles(): Promise<void> {
    this.#closed = true;
    if (!this.#commit.fenced) await this.durable().catch(() => undefined);
    for (const file of this.#files.values()) {
      const closed = file.then((open) => open.close()).catch(() => undefined);
      if (!this.#commit.fenced) await closed; // a disk that does not answer must not hold up the end
    }
    this.#files.clear();
  }

  // ── appending ─────────────────────────────────────────────────────────────

  /** The open batch, with room for so many bytes in its segment; every batch begins with a mark, every segment with a header. */
  #roomFor(bytes: number): Batch {
    const open = this.#commit.openBatch;
    const needed = open ? bytes : bytes + encodeMark(0).length;
    if (this.#at.offset + needed > this.#at.bytes) return this.#roll(needed);
    return open ?? this.#beginBatch();
  }

  #beginBatch(): Batch {
    const batch = this.#commit.begin(this.#at.segment, this.#at.offset);
    this.#addFraming(batch, encodeMark(this.#at.offset));
    return batch;
  }

  /** Goes on in the next segment; a record that is larger than a segment gets one of its own size. */
  #roll(bytes: number): Batch {
    const previous = this.#at;
    const segment = previous.segment + 1;
    const needed = segmentHeaderBytes + encodeMark(0).length + bytes;
    const size = Math.max(this.#options.segmentBytes, needed);
    if (size > this.#options.segmentBytes) this.#replaceSpare(segment, size);
    return this.#beginSegment(segment, size, previous);
  }

  #beginSegment(segment: number, bytes: number, previous: { segment: number; offset: number }): Batch {
    this.#at = { segment, offset: 0, bytes };
    const batch = this.#commit.begin(segment, 0);
    const timeMicros = this.#options.clock.nowMicros();
    const follows = { previousSegment: previous.segment, previousDurable: previous.offset };
    this.#addFraming(batch, encodeSegmentHeader({ segment, ...follows, timeMicros }));
    this.#addFraming(batch, encodeMark(this.#at.offset));
    return batch;
  }

  #addFraming(batch: Batch, bytes: Buffer): void {
    batch.add(bytes);
    this.#at.offset += bytes.length;
    this.#commit.added(bytes.length);
  }

  #write(batch: Batch, commit: GroupCommit): Promise<void> | undefined {
    if (this.#written?.segment !== batch.segment) return this.#writeFirst(batch, commit);
    const { file } = this.#written;
    const writing = file.write(batch.finish(), batch.offset)?.then(() => this.#wrote(batch, file));
    if (!writing) this.#wrote(batch, file);
    return writing;
  }

  /** The first batch of a segment, whose file may be in the making. */
  async #writeFirst(batch: Batch, commit: GroupCommit): Promise<void> {
    const file = await this.#file(batch.segment);
    if (commit.fenced) throw commit.fenced;
    await file.write(batch.finish(), batch.offset);
    this.#written = { segment: batch.segment, file };
    this.#wrote(batch, file);
  }

  #wrote(batch: Batch, file: SegmentFile): void {
    if (batch.segment !== this.#durableAt.segment) void this.#leaveSegment(this.#durableAt.segment);
    this.#durableAt = { segment: batch.segment, offset: batch.offset + batch.bytes };
    const half = this.#durableAt.offset > file.bytes / 2;
    if (half && !this.#files.has(batch.segment + 1) && !this.#closed) void this.#prepare(batch.segment + 1);
  }

  /** The segment's file; a spare that could not be made ahead of time is tried once more, as a new file. */
  #file(segment: number): Promise<SegmentFile> {
    return (this.#files.get(segment) ?? this.#prepare(segment)).catch(() => this.#prepare(segment));
  }

  #prepare(segment: number, bytes = this.#options.segmentBytes): Promise<SegmentFile> {
    const file = SegmentFile.create(this.#path(segment), bytes, this.#pace, this.#options.disk);
    file.catch(() => undefined); // met when the segment is needed
    this.#files.set(segment, file);
    return file;
  }

  /** A larger file in the place of the spare, under the same name. */
  #replaceSpare(segment: number, bytes: number): void {
    const spare = this.#files.get(segment);
    const file = (async () => {
      await spare?.then((open) => open.close()).catch(() => undefined);
      await removeFile(this.#path(segment), this.#options.disk);
      return SegmentFile.create(this.#path(segment), bytes, this.#pace, this.#options.disk);
    })();
    file.catch(() => undefined);
    this.#files.set(segment, file);
  }

  async #leaveSegment(segment: number): Promise<void> {
    const file = this.#files.get(segment);
    this.#files.delete(segment);
    await file?.then((open) => open.close()).catch(() => undefined);
    if (!this.#uses.has(segment) && segment > 0) await this.#remove(segment).catch(() => undefined);
  }

  #fenced(error: UserError): void {
    this.#epoch++;
    this.#lastFailure = error;
    for (const file of this.#files.values()) void file.then((open) => open.fence(error)).catch(() => undefined);
    if (!this.#isStarting) queueMicrotask(() => this.#options.onFailure(error)); // after those who wait have been told
  }

  /** Everything behind the last durable byte: open files, segments that hold nothing durable, places of entries in them. */
  async #dropWhatFailed(): Promise<void> {
    for (const file of this.#files.values()) void file.then((open) => open.close()).catch(() => undefined);
    this.#at.segment = Math.max(this.#at.segment, ...this.#files.keys());
    this.#files.clear();
    const { segment: durable, offset } = this.#durableAt;
    await this.#removeSegments((segment) => segment > durable);
    for (const session of this.sessions()) {
      session.extents.splice(0, Infinity, ...extentsBefore(session.extents, this.#durableAt));
      this.#uses.release(session, (segment) => session.extents.some((extent) => extent.segment === segment));
      if (session.extents.length === 0) this.#sessions.delete(session.id);
    }
    const path = this.#path(durable);
    if (this.#uses.has(durable)) await cutSegment(this.#options.disk, path, offset);
    else if (durable > 0) await removeFile(path, this.#options.disk);
  }

  // ── which segments are needed ─────────────────────────────────────────────

  #remember(session: JournalSession, segment: number, offset: number, bytes: number, readableFrom = 0): void {
    const last = session.extents.at(-1);
    const near = last && last.segment === segment && offset - last.end < extentGapBytes && last.start >= readableFrom;
    if (near) last.end = offset + bytes;
    else session.extents.push({ segment, start: offset, end: offset + bytes });
    if (last?.segment !== segment) this.#uses.add(segment, session);
  }

  async #release(user: object): Promise<void> {
    for (const segment of this.#uses.release(user)) if (segment < this.#durableAt.segment) await this.#remove(segment);
  }

  async #remove(segment: number): Promise<void> {
    if (this.faults.some((fault) => fault.segment === segment)) return; // evidence
    if (segment < this.#at.segment) await removeFile(this.#path(segment), this.#options.disk);
  }

  // ── opening ───────────────────────────────────────────────────────────────

  #path(segment: number): string {
    return join(this.#directory, segmentName(segment));
  }

  async #segmentNumbers(): Promise<number[]> {
    return segmentNumbers(await this.#options.disk.list(this.#directory));
  }

  async #removeSegments(which: (segment: number) => boolean): Promise<void> {
    for (const segment of (await this.#segmentNumbers()).filter(which))
      await removeFile(this.#path(segment), this.#options.disk);
  }

  async #readSegments(): Promise<void> {
    const numbers = await this.#segmentNumbers();
    const ends = await durableEnds(
      numbers.map((segment) => this.#path(segment)),
      this.#options.disk,
    );
    for (const segment of numbers) {
      const bytes = await this.#options.disk.readFile(this.#path(segment));
      const scan = scanSegment(bytes, { segment, durableEnd: ends.get(segment) }, (entry) => {
        const session = this.begin(Buffer.from(entry.sessionHex, 'hex'));
        this.#remember(session, segment, entry.offset, entry.bytes, entry.readableFrom);
      });
      this.faults.push(...scan.faults);
      if (scan.header) this.#durableAt = { segment, offset: scan.end };
      else await removeFile(this.#path(segment), this.#options.disk);
      this.#at = { segment, offset: scan.end, bytes: bytes.length };
      if (scan.header && !this.#uses.has(segment) && scan.faults.length === 0)
        await removeFile(this.#path(segment), this.#options.disk);
      // Its end may be in memory only (a run that was killed), and what lies behind its end must never count (a failed sync).
      else if (scan.header && !(ends.has(segment) && isBlank(bytes.subarray(scan.end))))
        await cutSegment(this.#options.disk, this.#path(segment), scan.end);
    }
  }

  async #startSegment(): Promise<void> {
    this.#beginSegment(this.#at.segment + 1, this.#options.segmentBytes, this.#durableAt);
    await this.durable();
  }
}
