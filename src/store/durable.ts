/**
 * The only file that fsyncs. "Durable" means: the bytes and the directory entry by which they are found survive a power cut.
 *
 * The happy path, in system calls:
 *   segment, made ahead of time   openat(O_CREAT|O_EXCL) · pwrite64 zeros … · fdatasync · openat(dir) · fsync(dir) · close(dir)
 *   group commit                  pwritev(segment, batch, offset) · fdatasync(segment)
 *                                 (blocks and size exist already, so no metadata has to be written with them; on the event loop's own
 *                                 thread while the disk is quick and the batch small, see write-pace.ts, else in the thread pool)
 *   small or sealed file          openat(tmp, O_CREAT|O_EXCL) · pwrite64 … · fsync · close · rename(tmp, name) · fsync(dir)
 *   removal                       unlink · fsync(dir)
 *   growing list                  openat(O_CREAT|O_APPEND) · fsync(dir), then write · fsync for each append
 *
 * A failed write or fsync says nothing about what is on disk, and a second fsync would answer "done" although pages were dropped
 * (https://wiki.postgresql.org/wiki/Fsync_Errors). So nothing here is ever tried again on the same file: a segment is fenced.
 */
import { fdatasync, fdatasyncSync, write, writev, writevSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, stat, unlink, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { assert } from '../shared/errors.ts';
import type { Disk, OpenFile } from './disk.ts';
import { processorWaitMillis } from './processor-wait.ts';
import { WritePace } from './write-pace.ts';

/** What may be waited for on the event loop's own thread. */
const quickBytesMax = 64 * 1024;

const zeros = Buffer.alloc(1024 * 1024);

/** A preallocated file that is written from front to back, batch by batch. */
export class SegmentFile {
  readonly #file: OpenFile;
  readonly #pace: WritePace;
  readonly #disk: Disk;
  readonly bytes: number;
  #fenced: unknown;
  #busy = false;
  #written: Promise<unknown> = Promise.resolve();

  private constructor(file: OpenFile, bytes: number, pace: WritePace, disk: Disk) {
    this.#file = file;
    this.#pace = pace;
    this.#disk = disk;
    this.bytes = bytes;
  }

  /**
   * Makes a file of zeros; its blocks, size and name are durable on return. On failure nothing is left behind where that can be done.
   * `pace`: what is known of the disk; the same for all files on it.
   */
  static async create(
    path: string,
    bytes: number,
    pace = new WritePace(),
    disk: Disk = systemDisk,
  ): Promise<SegmentFile> {
    const file = await disk.open(path, 'wx');
    try {
      for (let at = 0; at < bytes; at += zeros.length) {
        await writeAll(file, [zeros.subarray(0, Math.min(zeros.length, bytes - at))], at);
      }
      await file.syncContent();
      await disk.syncDirectory(dirname(path));
    } catch (error) {
      await file.close();
      await disk.remove(path);
      throw error;
    }
    return new SegmentFile(file, bytes, pace, disk);
  }

  /**
   * Writes the buffers at `offset`. They are durable when it returns undefined (a quick disk, a small batch), or when what it returns
   * resolves. After a failure the file is fenced: every later write fails.
   */
  write(buffers: Buffer[], offset: number): Promise<void> | undefined {
    if (this.#fenced !== undefined) throw this.#fenced;
    assert(!this.#busy, 'one batch is written at a time');
    if (!this.#pace.isQuick || bytesOf(buffers) > quickBytesMax) return this.#writeSlowly(buffers, offset);
    this.#writeHere(buffers, offset);
    return undefined;
  }

  #writeHere(buffers: Buffer[], offset: number): void {
    const started = this.#disk.runningMillis();
    try {
      for (let rest = buffers; rest.length > 0;) {
        const written = this.#file.writeNow(rest, offset);
        assertTaken(written);
        offset += written;
        rest = after(rest, written);
      }
      this.#file.syncContentNow();
    } catch (error) {
      this.#fenced ??= error;
      throw error;
    }
    this.#pace.took(this.#disk.runningMillis() - started);
  }

  async #writeSlowly(buffers: Buffer[], offset: number): Promise<void> {
    this.#busy = true;
    const started = this.#disk.nowMillis();
    try {
      await this.#writeInPool(buffers, offset);
      this.#pace.took(this.#disk.nowMillis() - started);
    } catch (error) {
      this.#fenced ??= error;
      throw error;
    } finally {
      this.#busy = false;
    }
    if (this.#fenced !== undefined) throw this.#fenced;
  }

  async #writeInPool(buffers: Buffer[], offset: number): Promise<void> {
    const written = writeAll(this.#file, buffers, offset).then(() => this.#file.syncContent());
    this.#written = written.catch(() => undefined);
    await written;
  }

  /** Never to be written again, also if a write under way still succeeds. */
  fence(reason: unknown): void {
    this.#fenced ??= reason;
  }

  /** When a write under way has ended, however it ends: the descriptor must not be another file's by then. */
  async close(): Promise<void> {
    await this.#written;
    await this.#file.close();
  }
}

/** All of it: the kernel may take less than it was given (a signal, a nearly full disk). */
async function writeAll(file: OpenFile, buffers: Buffer[], offset: number): Promise<void> {
  let rest = buffers;
  while (rest.length > 0) {
    const written = await file.write(rest, offset);
    assertTaken(written);
    offset += written;
    rest = after(rest, written);
  }
}

function assertTaken(written: number): void {
  if (written === 0) throw new Error('the file takes no more bytes');
}

const bytesOf = (buffers: readonly Buffer[]): number => buffers.reduce((sum, { length }) => sum + length, 0);

function after(buffers: Buffer[], written: number): Buffer[] {
  let index = 0;
  for (; index < buffers.length && written >= buffers[index]!.length; index++) written -= buffers[index]!.length;
  const rest = buffers.slice(index);
  if (written > 0 && rest[0]) rest[0] = rest[0].subarray(written);
  return rest;
}

const writeOne = (fd: number, buffer: Buffer, offset: number): Promise<number> =>
  new Promise((resolve, reject) =>
    write(fd, buffer, 0, buffer.length, offset, (error, written) => (error ? reject(error) : resolve(written))),
  );

const writeMany = (fd: number, buffers: Buffer[], offset: number): Promise<number> =>
  new Promise((resolve, reject) =>
    writev(fd, buffers, offset, (error, written) => (error ? reject(error) : resolve(written))),
  );

const dataSync = (fd: number): Promise<void> =>
  new Promise((resolve, reject) => fdatasync(fd, (error) => (error ? reject(error) : resolve())));

/** Of each disk: those whose names this process has made durable. */
const durableDirectories = new WeakMap<Disk, Set<string>>();

/**
 * Makes a directory and its parents, each durable in the one above. One that is there already may be what a run left that was killed
 * before it could sync: its own name (not its parents') is made durable then.
 */
export async function makeDirectory(path: string, disk: Disk = systemDisk): Promise<void> {
  const known = durableDirectories.get(disk) ?? new Set();
  durableDirectories.set(disk, known);
  const first = await disk.makeDirectory(path);
  if (first === undefined && known.has(path)) return;
  const top = first ?? path;
  for (let made = path; made.length >= top.length; made = dirname(made)) await disk.syncDirectory(dirname(made));
  known.add(path);
}

/** A file that appears under its name only when it is whole and durable. */
export interface NewFile {
  write(bytes: Uint8Array): Promise<void>;
  commit(): Promise<void>;
  /** Leaves nothing behind but what was committed. */
  abandon(): Promise<void>;
}

export async function createFile(path: string, disk: Disk = systemDisk): Promise<NewFile> {
  const temporary = join(dirname(path), `.${basename(path)}.tmp`);
  await disk.remove(temporary); // what a crash left
  const file = await disk.open(temporary, 'wx');
  let at = 0;
  return {
    async write(bytes) {
      const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      if (buffer.length > 0) await writeAll(file, [buffer], at);
      at += buffer.length;
    },
    async commit() {
      await file.sync();
      await file.close();
      await disk.rename(temporary, path);
      await disk.syncDirectory(dirname(path));
    },
    async abandon() {
      await file.close();
      await disk.remove(temporary);
    },
  };
}

/** A file that only grows. After a rejection it must not be appended to again: what is on disk is not known. */
export interface GrowingFile {
  /** Durable on return. */
  append(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

export async function openGrowingFile(path: string): Promise<GrowingFile> {
  const handle = await open(path, 'a', 0o600);
  await systemDisk.syncDirectory(dirname(path)).catch(async (error: unknown) => {
    await handle.close();
    throw error;
  });
  return {
    async append(bytes) {
      await handle.appendFile(bytes);
      await handle.sync();
    },
    close: () => handle.close(),
  };
}

/** Writes a small file as a whole: either the old one or the new one is there, whatever happens. */
export async function writeFileAtomically(path: string, bytes: Uint8Array, disk: Disk = systemDisk): Promise<void> {
  const file = await createFile(path, disk);
  try {
    await file.write(bytes);
    await file.commit();
  } catch (error) {
    await file.abandon().catch(() => undefined);
    throw error;
  }
}

export async function removeFile(path: string, disk: Disk = systemDisk): Promise<void> {
  await disk.remove(path);
  await disk.syncDirectory(dirname(path));
}

/** The system's own. */
export const systemDisk: Disk = {
  nowMillis: () => performance.now(),
  runningMillis: () => performance.now() - processorWaitMillis(),
  open: async (path, flags) => opened(await open(path, flags, 0o600)),
  readFile: (path) => readFile(path),
  list: (directory) => readdir(directory),
  sizeOf: (path) => stat(path).then(({ size }) => size, ifMissing),
  makeDirectory: (path) => mkdir(path, { recursive: true, mode: 0o700 }),
  async syncDirectory(path) {
    const handle = await open(path, 'r').catch(ifForbidden);
    if (!handle) return;
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
  rename: (from, to) => rename(from, to),
  remove: (path) => unlink(path).catch(ifMissing),
};

function ifMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
}

/** A directory above the data directory that is not ours to read is somebody else's to make durable. */
function ifForbidden(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'EACCES') throw error;
}

const opened = (handle: FileHandle): OpenFile => ({
  write: (buffers, offset) =>
    buffers.length === 1 ? writeOne(handle.fd, buffers[0]!, offset) : writeMany(handle.fd, buffers, offset),
  writeNow: (buffers, offset) => writevSync(handle.fd, buffers, offset),
  syncContent: () => dataSync(handle.fd),
  syncContentNow: () => fdatasyncSync(handle.fd),
  sync: () => handle.sync(),
  read: async (into, position) => (await handle.read(into, 0, into.length, position)).bytesRead,
  size: async () => (await handle.stat()).size,
  close: () => handle.close(),
});
