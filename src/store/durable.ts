/**
 * The only file that fsyncs. "Durable" means: the bytes and the directory entry by which they are found survive a power cut.
 *
 * The happy path, in system calls:
 *   segment, made ahead of time   openat(O_CREAT|O_EXCL) · pwrite64 zeros … · fdatasync · openat(dir) · fsync(dir) · close(dir)
 *   group commit                  pwritev(segment, batch, offset) · fdatasync(segment)
 *                                 (blocks and size exist already, so no metadata has to be written with them)
 *   small or sealed file          openat(tmp, O_CREAT|O_EXCL) · pwrite64 … · fsync · close · rename(tmp, name) · fsync(dir)
 *   removal                       unlink · fsync(dir)
 *   growing list                  openat(O_CREAT|O_APPEND) · fsync(dir), then write · fsync for each append
 *
 * A failed write or fsync says nothing about what is on disk, and a second fsync would answer "done" although pages were dropped
 * (https://wiki.postgresql.org/wiki/Fsync_Errors). So nothing here is ever tried again on the same file: a segment is fenced.
 */
import { fdatasync, write, writev } from 'node:fs';
import { mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { assert } from '../shared/errors.ts';

const zeros = Buffer.alloc(1024 * 1024);

/** A preallocated file that is written from front to back, batch by batch. */
export class SegmentFile {
  readonly #handle: FileHandle;
  readonly bytes: number;
  #fenced: unknown;
  #busy = false;
  #written: Promise<unknown> = Promise.resolve();

  private constructor(handle: FileHandle, bytes: number) {
    this.#handle = handle;
    this.bytes = bytes;
  }

  /** Makes a file of zeros; its blocks, size and name are durable on return. On failure nothing is left behind where that can be done. */
  static async create(path: string, bytes: number): Promise<SegmentFile> {
    const handle = await open(path, 'wx', 0o600);
    try {
      for (let at = 0; at < bytes; at += zeros.length) {
        await writeAll(handle.fd, [zeros.subarray(0, Math.min(zeros.length, bytes - at))], at);
      }
      await dataSync(handle.fd);
      await syncDirectory(dirname(path));
    } catch (error) {
      await handle.close();
      await rm(path, { force: true });
      throw error;
    }
    return new SegmentFile(handle, bytes);
  }

  /** Writes the buffers at `offset`; they are durable when it resolves. After a rejection the file is fenced: every later write rejects. */
  async write(buffers: Buffer[], offset: number): Promise<void> {
    if (this.#fenced !== undefined) throw this.#fenced;
    assert(!this.#busy, 'one batch is written at a time');
    this.#busy = true;
    const written = writeAll(this.#handle.fd, buffers, offset).then(() => dataSync(this.#handle.fd));
    this.#written = written.catch(() => undefined);
    try {
      await written;
    } catch (error) {
      this.#fenced ??= error;
      throw error;
    } finally {
      this.#busy = false;
    }
    if (this.#fenced !== undefined) throw this.#fenced;
  }

  /** Never to be written again, also if a write under way still succeeds. */
  fence(reason: unknown): void {
    this.#fenced ??= reason;
  }

  /** When a write under way has ended, however it ends: the descriptor must not be another file's by then. */
  async close(): Promise<void> {
    await this.#written;
    await this.#handle.close();
  }
}

/** All of it: the kernel may take less than it was given (a signal, a nearly full disk). */
async function writeAll(fd: number, buffers: Buffer[], offset: number): Promise<void> {
  let rest = buffers;
  while (rest.length > 0) {
    const written = await (rest.length === 1 ? writeOne(fd, rest[0]!, offset) : writeMany(fd, rest, offset));
    if (written === 0) throw new Error('the file takes no more bytes');
    offset += written;
    rest = after(rest, written);
  }
}

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

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes a directory and its parents, each durable in the one above. */
export async function makeDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made)) await syncDirectory(dirname(made));
}

/** A file that appears under its name only when it is whole and durable. */
export interface NewFile {
  write(bytes: Uint8Array): Promise<void>;
  commit(): Promise<void>;
  /** Leaves nothing behind. */
  abandon(): Promise<void>;
}

export async function createFile(path: string): Promise<NewFile> {
  const temporary = join(dirname(path), `.${basename(path)}.tmp`);
  await rm(temporary, { force: true }); // what a crash left
  const handle = await open(temporary, 'wx', 0o600);
  let at = 0;
  return {
    async write(bytes) {
      const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      if (buffer.length > 0) await writeAll(handle.fd, [buffer], at);
      at += buffer.length;
    },
    async commit() {
      await handle.sync();
      await handle.close();
      await rename(temporary, path);
      await syncDirectory(dirname(path));
    },
    async abandon() {
      await handle.close();
      await rm(temporary, { force: true });
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
  await syncDirectory(dirname(path));
  return {
    async append(bytes) {
      await handle.appendFile(bytes);
      await handle.sync();
    },
    close: () => handle.close(),
  };
}

/** Writes a small file as a whole: either the old one or the new one is there, whatever happens. */
export async function writeFileAtomically(path: string, bytes: Uint8Array): Promise<void> {
  const file = await createFile(path);
  try {
    await file.write(bytes);
    await file.commit();
  } catch (error) {
    await file.abandon().catch(() => undefined);
    throw error;
  }
}

export async function removeFile(path: string): Promise<void> {
  await rm(path, { force: true });
  await syncDirectory(dirname(path));
}
