import type { Checkpoint } from './checkpoint.ts';
import { parseCheckpoint } from './checkpoint.ts';
import { parseVerifierKey, type Note, type VerifierKey } from './note.ts';
import { readReceipts, type Receipt } from './receipts.ts';
import { followRollovers, isSignedInTime, type LogKey, type Rollover } from './rollover.ts';
import type { Verdict } from './verdicts.ts';
import type { WitnessList } from './witness-list.ts';

/** What the person brings along: all of it optional, nothing of it taken from what is verified. */
export interface Trust {
  keys: readonly VerifierKey[];
  /** Proofs that keys were followed by others (rollover.ts), which the person has seen; what is verified brings its own. */
  rollovers?: readonly string[];
  /** A checkpoint that the person kept. */
  held?: { checkpoint: Checkpoint; note: Note };
  /** Receipts of the person's sessions (receipts.ts): each says what stands in the log, and is a checkpoint that the person holds. */
  receipts?: readonly string[];
  /** What is verified was given just now: a log shorter than the checkpoint that is held was rolled back, and is not merely an older one. */
  isFresh?: boolean;
  /** Witnesses that must have cosigned. */
  witnesses: readonly VerifierKey[];
  /** An agent's own list of what it has seen. */
  seen?: WitnessList;
  /** Pinned keys of agents, by `agentAt`: each must have cosigned the log of the sessions that it was beside. */
  agents?: ReadonlyMap<string, VerifierKey>;
}

export interface JudgedCheckpoint {
  checkpoint: Checkpoint;
  note: Note;
  found: Verdict[];
  /** By which the trusted key was followed by others. */
  rollovers: Rollover[];
  receipts: Receipt[];
}

/**
 * Is the text a checkpoint of the trusted key, or of one that has followed it? Undefined when it is no checkpoint at all. Who cosigned it
 * is another question (verify-witness.ts).
 */
export function judgeCheckpoint(
  text: string,
  trust: Trust,
  rollovers: readonly string[] = [],
): JudgedCheckpoint | undefined {
  const parsed = parsedOrUndefined(text);
  if (!parsed) return undefined;
  const key = trust.keys.find(({ name }) => name === parsed.checkpoint.origin) ?? trust.keys[0];
  const { keys, followed } = key
    ? followRollovers(key, [...new Set([...(trust.rollovers ?? []), ...rollovers])])
    : { keys: [], followed: [] };
  const found = [signedBy(parsed, keys)];
  if (trust.held && key && !isSignedInTime(trust.held, keys))
    found.push({ verdict: 'UNPINNED', why: 'the checkpoint that you hold is not signed by the key that you trust' });
  if (trust.held && trust.held.checkpoint.origin !== parsed.checkpoint.origin)
    found.push({ verdict: 'FORK', why: 'the checkpoint that you hold is another log’s' });
  if (trust.seen?.checkpoint && trust.seen.checkpoint.checkpoint.origin !== parsed.checkpoint.origin)
    found.push({ verdict: 'FORK', why: 'the agent has cosigned another log' });
  return {
    ...parsed,
    found: found.filter((each) => each !== undefined),
    rollovers: followed,
    receipts: readReceipts(trust.receipts ?? [], keys),
  };
}

function parsedOrUndefined(text: string): ReturnType<typeof parseCheckpoint> | undefined {
  try {
    return parseCheckpoint(text);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function signedBy(parsed: { checkpoint: Checkpoint; note: Note }, keys: readonly LogKey[]): Verdict | undefined {
  if (keys.length === 0) return { verdict: 'UNPINNED', why: 'no key was given that you trust' };
  return isSignedInTime(parsed, keys)
    ? undefined
    : {
        verdict: 'UNPINNED',
        why: 'its checkpoint is not signed by the key that you trust, or by one that followed it',
      };
}

/** Verifier keys, one a line; `#` begins a comment. Undefined where a line is none. */
export function parseKeys(text: string): VerifierKey[] | undefined {
  const lines = text.split('\n').map((line) => line.trim());
  const keys = lines.filter((line) => line !== '' && !line.startsWith('#')).map(parseVerifierKey);
  return keys.length > 0 && keys.every((key) => key !== undefined) ? keys : undefined;
}
