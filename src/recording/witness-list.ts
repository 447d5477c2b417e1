import { parseCheckpoint, type Checkpoint } from './checkpoint.ts';
import { digestBytes } from './digest.ts';
import { parseVerifierKey, type Note, type VerifierKey } from './note.ts';
import type { Verdict } from './verdicts.ts';

/** How far an agent has seen a session. */
export interface SeenHead {
  seq: number;
  /** Of the entry of that number. */
  hash: Buffer;
  /** It was the seal. */
  sealed: boolean;
}

/**
 * What `hoop agent witness` prints, a JSON object a line: `{"key"}` (the agent's, as a witness), `{"checkpoint"}` (the last one of the
 * log that it cosigned), `{"session","seq","hash","sealed"}` (a head that it has seen; several of one session in ascending order).
 */
export interface WitnessList {
  keys: VerifierKey[];
  checkpoint?: { checkpoint: Checkpoint; note: Note };
  heads: Map<string, SeenHead[]>;
}

export const isWitnessList = (text: string): boolean => text.trimStart().startsWith('{');

/** Throws RangeError, which names the line. A last line that has no end was being written. */
export function parseWitnessList(text: string): WitnessList {
  const list: WitnessList = { keys: [], heads: new Map() };
  for (const [at, line] of text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .entries()) {
    if (line === '') continue;
    try {
      take(list, JSON.parse(line) as Record<string, unknown>);
    } catch (error) {
      throw new RangeError(`line ${at + 1}: ${(error as Error).message}`, { cause: error });
    }
  }
  return list;
}

function take(list: WitnessList, { key, checkpoint, session, seq, hash, sealed }: Record<string, unknown>): void {
  if (typeof key === 'string') {
    const parsed = parseVerifierKey(key);
    if (!parsed) throw new RangeError('not a verifier key');
    list.keys.push(parsed);
  } else if (typeof checkpoint === 'string') list.checkpoint = parseCheckpoint(checkpoint);
  else if (typeof session === 'string' && Number.isSafeInteger(seq) && typeof hash === 'string') {
    const bytes = Buffer.from(hash, 'hex');
    if (bytes.length !== digestBytes) throw new RangeError('not a hash');
    const heads = list.heads.get(session) ?? [];
    list.heads.set(session, heads);
    heads.push({ seq: seq as number, hash: bytes, sealed: sealed === true });
  } else throw new RangeError('neither a key, a checkpoint nor a head');
}

/** A chain that holds in itself against what an agent has seen of it; `hashes` has those of the entries that the heads name. */
export function comparedWithSeen(
  heads: readonly SeenHead[],
  walked: { entries: number; hashes: ReadonlyMap<number, Buffer> },
): Verdict | undefined {
  for (const { seq, hash, sealed } of heads) {
    if (seq >= walked.entries)
      return { verdict: 'TRUNCATED', at: walked.entries, why: `the agent has seen entry ${seq}` };
    if (!walked.hashes.get(seq)?.equals(hash))
      return { verdict: 'ALTERED', at: seq, why: 'it, or one before it, is not the one that the agent has seen' };
    if (sealed && walked.entries > seq + 1)
      return { verdict: 'ALTERED', at: seq + 1, why: 'the agent has seen the seal before it' };
  }
  return undefined;
}
