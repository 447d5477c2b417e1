import { dirname, join } from 'node:path';
import { SessionChain } from '../recording/chain.ts';
import { headerBytes } from '../recording/entry-codec.ts';
import { threadedGzip, type Compression } from '../recording/compression.ts';
import { lastSealed, openSealed, readSealed, type SealedFiles } from '../recording/sealed-reader.ts';
import { rewritePayload, writeSealed } from '../recording/sealed-writer.ts';
import { UserError } from '../shared/errors.ts';
import type { Disk, OpenFile } from './disk.ts';
import { createFile, makeDirectory, removeFile, systemDisk } from './durable.ts';
import { openReader } from './positional-file.ts';

/** A sealed recording in the archive, as its file name says. */
export interface ArchivedRecording {
  id: string;
  ordinal: number;
  /** Without the extension. */
  path: string;
}

export interface RecordingToArchive {
  id: string;
  idBytes: Uint8Array;
  ordinal: number;
  startedMicros: number;
  entries: AsyncIterable<Uint8Array>;
}

/** What a simulation brings of its own. */
export interface ArchiveOptions {
  disk?: Disk;
  compression?: Compression;
}

/**
 * Sealed recordings: `<data-dir>/recordings/YYYY/MM/<ordinal>-<session>.{chain,payload}`. An attacker who can write here can delete or
 * replace recordings whole; one who can read here reads what was recorded.
 */
export class Archive {
  readonly #directory: string;
  readonly #disk: Disk;
  readonly #compression: Compression;

  constructor(dataDir: string, { disk = systemDisk, compression = threadedGzip }: ArchiveOptions = {}) {
    this.#disk = disk;
    this.#compression = compression;
    this.#directory = join(dataDir, 'recordings');
  }

  /** Writes a recording, checking its chain on the way; both files are durable when it resolves. Nothing is left of a failed try. */
  async write(recording: RecordingToArchive): Promise<void> {
    const path = this.#pathOf(recording);
    await this.#makeMonth(dirname(path));
    const payload = await createFile(`${path}.payload`, this.#disk);
    const chain = await createFile(`${path}.chain`, this.#disk).catch(async (error: unknown) => {
      await payload.abandon();
      throw error;
    });
    try {
      const following = new SessionChain(recording.idBytes);
      const entries = followed(following, recording.entries);
      await writeSealed(
        recording.idBytes,
        entries,
        { chain: chain.write, payload: payload.write },
        () => following.head,
        this.#compression,
      );
      await payload.commit();
      await chain.commit(); // the chain file is what makes it a recording
    } catch (error) {
      await Promise.allSettled([payload.abandon(), chain.abandon()]);
      throw error;
    }
  }

  /** The recording whose place is known; undefined when it is not there. */
  async at(place: { id: string; ordinal: number; startedMicros: number }): Promise<ArchivedRecording | undefined> {
    const path = this.#pathOf(place);
    const size = await this.#disk.sizeOf(`${path}.chain`).catch(() => undefined);
    return size === undefined ? undefined : { id: place.id, ordinal: place.ordinal, path };
  }

  /** Its files are under their names for good on return: a run that was killed, or a disk that refused, may have left that open. */
  async confirm({ path }: ArchivedRecording): Promise<void> {
    await this.#makeMonth(dirname(path));
    await this.#disk.syncDirectory(dirname(path));
  }

  async #makeMonth(month: string): Promise<void> {
    for (const folder of [this.#directory, dirname(month), month]) await makeDirectory(folder, this.#disk);
  }

  /** All recordings, in order of their ordinals within a month. */
  async *list(): AsyncGenerator<ArchivedRecording> {
    for (const year of await this.#names(this.#directory, /^\d{4}$/)) {
      for (const month of await this.#names(join(this.#directory, year), /^\d{2}$/)) {
        const directory = join(this.#directory, year, month);
        for (const name of await this.#names(directory, /^\d{10}-[0-9a-z]{26}\.chain$/)) {
          yield {
            id: name.slice(11, 37),
            ordinal: Number(name.slice(0, 10)),
            path: join(directory, name.slice(0, 37)),
          };
        }
      }
    }
  }

  async find(id: string): Promise<ArchivedRecording | undefined> {
    for await (const recording of this.list()) if (recording.id === id) return recording;
    return undefined;
  }

  /** Encoded entries of a recording from `fromSeq` on; unreadable files are HOOP_RECORD_DAMAGED. */
  async *read(recording: ArchivedRecording, fromSeq = 0): AsyncGenerator<Buffer> {
    const opened: OpenFile[] = [];
    try {
      yield* readSealed(await this.#open(recording, opened), fromSeq);
    } catch (cause) {
      throw asDamage(recording, cause);
    } finally {
      await Promise.all(opened.map((file) => file.close()));
    }
  }

  /** The first and the last entry, encoded; throws as `read`. */
  async ends(recording: ArchivedRecording): Promise<{ first: Buffer; last: Buffer }> {
    const opened: OpenFile[] = [];
    try {
      const files = await this.#open(recording, opened);
      const [first, last] = [await oneOf(files, 0), await lastSealed(files)];
      if (!first || !last) throw new RangeError('it has no entries');
      return { first, last };
    } catch (cause) {
      throw asDamage(recording, cause);
    } finally {
      await Promise.all(opened.map((file) => file.close()));
    }
  }

  /** Those of these entries whose payload is still there; throws as `read`. */
  async notErased(recording: ArchivedRecording, entries: Iterable<number>): Promise<number[]> {
    const opened: OpenFile[] = [];
    try {
      const files = await this.#open(recording, opened);
      const there: number[] = [];
      for (const seq of entries) if (((await oneOf(files, seq))?.length ?? 0) > headerBytes) there.push(seq);
      return there;
    } catch (cause) {
      throw asDamage(recording, cause);
    } finally {
      await Promise.all(opened.map((file) => file.close()));
    }
  }

  /**
   * Takes the payloads and salts of these entries away; durable when it resolves. The chain file, which has the commitments, is not
   * touched. Either the old payload file is there or the new one is, whatever happens; throws as `read`.
   */
  async erase(recording: ArchivedRecording, entries: ReadonlySet<number>): Promise<void> {
    const opened: OpenFile[] = [];
    const payload = await createFile(`${recording.path}.payload`, this.#disk);
    try {
      await rewritePayload(await this.#open(recording, opened), entries, payload.write, this.#compression);
      await payload.commit();
    } catch (cause) {
      await payload.abandon().catch(() => undefined);
      throw asDamage(recording, cause);
    } finally {
      await Promise.all(opened.map((file) => file.close()));
    }
  }

  /** Durable when it resolves. The chain file goes last: as long as it is there the removal can be found unfinished. */
  async remove({ path }: ArchivedRecording): Promise<void> {
    await removeFile(`${path}.payload`, this.#disk);
    await removeFile(`${path}.chain`, this.#disk);
  }

  /** Bytes of both files. */
  async bytesOf({ path }: ArchivedRecording): Promise<number> {
    const sizes = await Promise.all(
      ['chain', 'payload'].map((kind) => this.#disk.sizeOf(`${path}.${kind}`).catch(() => undefined)),
    );
    return (sizes[0] ?? 0) + (sizes[1] ?? 0);
  }

  #pathOf({ id, ordinal, startedMicros }: { id: string; ordinal: number; startedMicros: number }): string {
    const day = new Date(startedMicros / 1000).toISOString();
    return join(this.#directory, day.slice(0, 4), day.slice(5, 7), `${String(ordinal).padStart(10, '0')}-${id}`);
  }

  async #names(directory: string, pattern: RegExp): Promise<string[]> {
    try {
      return (await this.#disk.list(directory)).filter((name) => pattern.test(name)).toSorted();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  }

  async #open({ path }: ArchivedRecording, opened: OpenFile[]): Promise<SealedFiles> {
    const chain = await openReader(`${path}.chain`, opened, this.#disk);
    const payload = await openReader(`${path}.payload`, opened, this.#disk);
    return openSealed({ chain, payload }, this.#compression);
  }
}

async function* followed(chain: SessionChain, entries: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const entry of entries) {
    chain.follow(entry);
    yield entry;
  }
}

async function oneOf(files: SealedFiles, seq: number): Promise<Buffer | undefined> {
  for await (const entry of readSealed(files, seq)) return entry;
  return undefined;
}

/** What the files cannot say is damage; a disk that fails is not. */
function asDamage({ id, path }: ArchivedRecording, cause: unknown): unknown {
  const unreadable = cause instanceof RangeError || (cause as NodeJS.ErrnoException).code === 'ENOENT';
  if (!unreadable) return cause;
  return new UserError(
    'HOOP_RECORD_DAMAGED',
    `the recording of session ${id} cannot be read: ${(cause as Error).message}`,
    { next: `restore ${path}.chain and ${path}.payload from a backup`, cause },
  );
}
