import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../shared/errors.ts';
import { makeDirectory, openGrowingFile, writeFileAtomically, type GrowingFile } from './durable.ts';

/** How far the agent has seen a session's record. No text, no digest of one: a head is a hash over salted commitments. */
export interface WitnessedHead {
  session: string;
  seq: number;
  /** Hex. */
  hash: string;
  /** The seal: nothing may follow. */
  sealed: boolean;
}

export const witnessListName = 'witness.jsonl';

/**
 * The agent's own list, one line of JSON for each head: append-only. Whoever can write this file can make the agent forget what it saw,
 * not make it say that the gateway recorded something else.
 */
export class WitnessList {
  readonly #file: GrowingFile;
  /** The last head of each session that had not ended. */
  readonly open: ReadonlyMap<string, WitnessedHead>;

  private constructor(file: GrowingFile, open: ReadonlyMap<string, WitnessedHead>) {
    this.#file = file;
    this.open = open;
  }

  static async open(stateDir: string): Promise<WitnessList> {
    await makeDirectory(stateDir);
    const path = join(stateDir, witnessListName);
    const text = await readWitnessList(stateDir);
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    if (whole.length < text.length) await writeFileAtomically(path, Buffer.from(whole)); // a crash cut the last line off
    return new WitnessList(await openGrowingFile(path), openHeads(whole, path));
  }

  /** Durable on return. */
  async append(heads: readonly WitnessedHead[]): Promise<void> {
    await this.#file.append(Buffer.from(heads.map((head) => `${JSON.stringify(head)}\n`).join('')));
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** The list as it is on disk; empty where there is none yet. */
export async function readWitnessList(stateDir: string): Promise<string> {
  return readFile(join(stateDir, witnessListName), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw new UserError('HOOP_CONFIG', `the witness’s list in ${stateDir} cannot be read: ${error.message}`, {
      next: 'make it readable for this user',
      cause: error,
    });
  });
}

function openHeads(text: string, path: string): Map<string, WitnessedHead> {
  const open = new Map<string, WitnessedHead>();
  for (const [index, line] of text.split('\n').entries()) {
    if (line === '') continue;
    const head = parsed(line);
    if (!head) {
      throw new UserError('HOOP_CONFIG', `${path}: line ${index + 1} is not a witnessed head`, {
        next: 'restore the file from a backup, or move it away: the agent then witnesses from now on only',
      });
    }
    if (head.sealed) open.delete(head.session);
    else open.set(head.session, head);
  }
  return open;
}

function parsed(line: string): WitnessedHead | undefined {
  try {
    const { session, seq, hash, sealed } = JSON.parse(line) as WitnessedHead;
    const isHead = typeof session === 'string' && Number.isSafeInteger(seq) && /^[0-9a-f]{64}$/.test(hash);
    return isHead ? { session, seq, hash, sealed } : undefined;
  } catch {
    return undefined;
  }
}
