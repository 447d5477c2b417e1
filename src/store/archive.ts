import { access, readdir, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { SessionChain } from '../recording/chain.ts';
import { headerBytes } from '../recording/entry-codec.ts';
import { openSealed, readSealed, type SealedFiles } from '../recording/sealed-reader.ts';
import { rewritePayload, writeSealed } from '../recording/sealed-writer.ts';
import { UserError } from '../shared/errors.ts';
import { createFile, makeDirectory, removeFile } from './durable.ts';
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

/**
 * Sealed recordings: `<data-dir>/recordings/YYYY/MM/<ordinal>-<session>.{chain,payload}`. An attacker who can write here can delete or
 * replace recordings whole; one who can read here reads what was recorded.
 */
export class Archive {
  readonly #directory: string;

  constructor(dataDir: string) {
    this.#directory = join(dataDir, 'recordings');
  }

  /** Writes a recording, checking its chain on the way; both files are durable when it resolves. Nothing is left of a failed try. */
  async write(recording: RecordingToArchive): Promise<void> {
    const path = this.#pathOf(recording);
    await makeDirectory(join(path, '..'));
    const payload = await createFile(`${path}.payload`);
    const chain = await createFile(`${path}.chain`).catch(async (error: unknown) => {
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
      );
    } catch (error) {
      await Promise.allSettled([payload.abandon(), chain.abandon()]);
      throw error;
    }
    await payload.commit();
    await chain.commit(); // the chain file is what makes it a recording
  }

  /** The recording whose place is known; undefined when it is not there. */
  async at(place: { id: string; ordinal: number; startedMicros: number }): Promise<ArchivedRecording | undefined> {
    const path = this.#pathOf(place);
    try {
      await access(`${path}.chain`);
      return { id: place.id, ordinal: place.ordinal, path };
    } catch {
      return undefined;
    }
  }

  /** All recordings, in order of their ordinals within a month. */
  async *list(): AsyncGenerator<ArchivedRecording> {
    for (const year of await names(this.#directory, /^\d{4}$/)) {
      for (const month of await names(join(this.#directory, year), /^\d{2}$/)) {
        const directory = join(this.#directory, year, month);
        for (const name of await names(directory, /^\d{10}-[0-9a-z]{26}\.chain$/)) {
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
    const opened: FileHandle[] = [];
    try {
      yield* readSealed(await openFiles(recording, opened), fromSeq);
    } catch (cause) {
      throw asDamage(recording, cause);
    } finally {
      await Promise.all(opened.map((file) => file.close()));
    }
  }

  /** The first and the last entry, encoded; throws as `read`. */
  async ends(recording: ArchivedRecording): Promise<{ first: Buffer; last: Buffer }> {
    const opened: FileHandle[] = [];
    try {
      const files = await openFiles(recording, opened);
      const [first, last] = [await oneOf(files, 0), await oneOf(files, files.chain.footer.entries - 1)];
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
    const opened: FileHandle[] = [];
    try {
      const files = await openFiles(recording, opened);
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
    const opened: FileHandle[] = [];
    const payload = await createFile(`${recording.path}.payload`);
    try {
      await rewritePayload(await openFiles(recording, opened), entries, payload.write);
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
    await removeFile(`${path}.payload`);
    await removeFile(`${path}.chain`);
  }

  /** Bytes of both files. */
  async bytesOf({ path }: ArchivedRecording): Promise<number> {
    const sizes = await Promise.all(
      ['chain', 'payload'].map((kind) =>
        stat(`${path}.${kind}`).then(
          ({ size }) => size,
          () => 0,
        ),
      ),
    );
    return sizes[0]! + sizes[1]!;
  }

  #pathOf({ id, ordinal, startedMicros }: { id: string; ordinal: number; startedMicros: number }): string {
    const day = new Date(startedMicros / 1000).toISOString();
    return join(this.#directory, day.slice(0, 4), day.slice(5, 7), `${String(ordinal).padStart(10, '0')}-${id}`);
  }
}

async function* followed(chain: SessionChain, entries: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const entry of entries) {
    chain.follow(entry);
    yield entry;
  }
}

async function names(directory: string, pattern: RegExp): Promise<string[]> {
  try {
    return (await readdir(directory)).filter((name) => pattern.test(name)).toSorted();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

async function openFiles({ path }: ArchivedRecording, opened: FileHandle[]): Promise<SealedFiles> {
  const chain = await openReader(`${path}.chain`, opened);
  const payload = await openReader(`${path}.payload`, opened);
  return openSealed({ chain, payload });
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
