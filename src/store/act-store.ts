import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory, writeFileAtomically } from './durable.ts';

/** The text of an administrative act, and the salt with which the log commits to it. */
export interface StoredAct {
  salt: Buffer;
  text: Buffer;
}

/**
 * Administrative acts in words, `<data-dir>/acts/<salt>.json`: the log has only commitments to them. An attacker who can write here can
 * take an act's words away, not put others in their place.
 */
export class ActStore {
  readonly #directory: string;

  private constructor(dataDir: string) {
    this.#directory = join(dataDir, 'acts');
  }

  static async open(dataDir: string): Promise<ActStore> {
    const acts = new ActStore(dataDir);
    await makeDirectory(acts.#directory);
    return acts;
  }

  /** Durable when it resolves. */
  async write(salt: Buffer, text: Buffer): Promise<void> {
    await writeFileAtomically(join(this.#directory, `${salt.toString('hex')}.json`), text);
  }

  async list(): Promise<StoredAct[]> {
    return readActs(this.#directory);
  }
}

/** The acts of a folder; none where there is no folder. */
export async function readActs(directory: string): Promise<StoredAct[]> {
  const names = (await readdir(directory).catch(() => [])).filter((name) => /^[0-9a-f]{32}\.json$/.test(name));
  return Promise.all(
    names.map(async (name) => ({
      salt: Buffer.from(name.slice(0, 32), 'hex'),
      text: await readFile(join(directory, name)),
    })),
  );
}
