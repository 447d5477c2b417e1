import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseCheckpoint, type Checkpoint } from '../recording/checkpoint.ts';
import { type Note } from '../recording/note.ts';
import { makeDirectory, writeFileAtomically } from './durable.ts';

/** A checkpoint with the signature of the log and those of witnesses. */
export interface CosignedCheckpoint {
  text: string;
  checkpoint: Checkpoint;
  note: Note;
}

const directoryOf = (dataDir: string): string => join(dataDir, 'log', 'cosigned');

/** Of each witness the last checkpoint that it cosigned, `<data-dir>/log/cosigned/<key>`. Whoever writes here can take them away, not forge one. */
export async function writeCosigned(dataDir: string, key: string, text: string): Promise<void> {
  await makeDirectory(directoryOf(dataDir));
  await writeFileAtomically(join(directoryOf(dataDir), key), Buffer.from(text));
}

/** By the file's name; what is no checkpoint is left out. */
export async function readCosigned(dataDir: string): Promise<Map<string, CosignedCheckpoint>> {
  const names = (await readdir(directoryOf(dataDir)).catch(() => [])).filter((name) => /^[0-9a-f]{16}$/.test(name));
  const found = new Map<string, CosignedCheckpoint>();
  for (const name of names.toSorted()) {
    const text = await readFile(join(directoryOf(dataDir), name), 'utf8');
    try {
      found.set(name, { text, ...parseCheckpoint(text) });
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }
  return found;
}
