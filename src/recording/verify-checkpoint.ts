import type { Checkpoint } from './checkpoint.ts';
import { parseCheckpoint } from './checkpoint.ts';
import { cosignedAt, noteHolds, parseVerifierKey, type Note, type VerifierKey } from './note.ts';
import type { Verdict } from './verdicts.ts';

/** What the person brings along: all of it optional, nothing of it taken from what is verified. */
export interface Trust {
  keys: readonly VerifierKey[];
  /** A checkpoint that the person kept. */
  held?: { checkpoint: Checkpoint; note: Note };
  /** Witnesses that must have cosigned. */
  witnesses: readonly VerifierKey[];
}

export interface JudgedCheckpoint {
  checkpoint: Checkpoint;
  note: Note;
  found: Verdict[];
}

/** Is the text a checkpoint of the trusted key, cosigned by those that must have? Undefined when it is no checkpoint at all. */
export function judgeCheckpoint(text: string, trust: Trust): JudgedCheckpoint | undefined {
  const parsed = parsedOrUndefined(text);
  if (!parsed) return undefined;
  const key = trust.keys.find(({ name }) => name === parsed.checkpoint.origin) ?? trust.keys[0];
  const found = [signedBy(parsed, key), ...trust.witnesses.map((witness) => cosignedBy(parsed.note, trust, witness))];
  if (trust.held && key && !isBy(trust.held, key))
    found.push({ verdict: 'UNPINNED', why: 'the checkpoint that you hold is not signed by the key that you trust' });
  if (trust.held && trust.held.checkpoint.origin !== parsed.checkpoint.origin)
    found.push({ verdict: 'FORK', why: 'the checkpoint that you hold is another log’s' });
  return { ...parsed, found: found.filter((each) => each !== undefined) };
}

function parsedOrUndefined(text: string): ReturnType<typeof parseCheckpoint> | undefined {
  try {
    return parseCheckpoint(text);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

const isBy = ({ checkpoint, note }: { checkpoint: Checkpoint; note: Note }, key: VerifierKey): boolean =>
  checkpoint.origin === key.name && noteHolds(note, key);

function signedBy(parsed: { checkpoint: Checkpoint; note: Note }, key: VerifierKey | undefined): Verdict | undefined {
  if (!key) return { verdict: 'UNPINNED', why: 'no key was given that you trust' };
  return isBy(parsed, key)
    ? undefined
    : { verdict: 'UNPINNED', why: 'its checkpoint is not signed by the key that you trust' };
}

function cosignedBy(note: Note, { held }: Trust, witness: VerifierKey): Verdict | undefined {
  const cosigned = [note, ...(held ? [held.note] : [])].some((each) => cosignedAt(each, witness) !== undefined);
  return cosigned ? undefined : { verdict: 'UNWITNESSED', why: `no cosignature of ${witness.name}` };
}

/** Verifier keys, one a line; `#` begins a comment. Undefined where a line is none. */
export function parseKeys(text: string): VerifierKey[] | undefined {
  const lines = text.split('\n').map((line) => line.trim());
  const keys = lines.filter((line) => line !== '' && !line.startsWith('#')).map(parseVerifierKey);
  return keys.length > 0 && keys.every((key) => key !== undefined) ? keys : undefined;
}
