/**
 * What `hoop verify` can find, from what weighs least to what weighs most: where several hold, the last of them in this table is the
 * verdict. docs/verify.md explains each, and a test compares the two. Exit codes are never reused.
 */
export const verdicts = {
  VALID: { exit: 0, means: 'Whole, sealed, and logged to its end under a checkpoint of the key that you trust.' },
  VALID_OPEN: {
    exit: 0,
    means: 'Whole as far as it goes; the log has no end of it yet. What follows the last anchor is not proven.',
  },
  VALID_ERASED: { exit: 0, means: 'As VALID; payloads were erased, each with its own leaf.' },
  REMOVED: { exit: 20, means: 'The recording is gone, and the log says that it was removed.' },
  UNWITNESSED: { exit: 21, means: 'No cosignature of a witness that you named.' },
  UNPINNED: { exit: 22, means: 'Not tied to a key that you trust: none was given, or another one signed.' },
  STALE: { exit: 30, means: 'Not tied to the checkpoint that you hold: older than it, or without a proof.' },
  UNLOGGED: { exit: 28, means: 'A recording that the log does not know.' },
  GAP: { exit: 24, means: 'Entries are missing.' },
  TRUNCATED: { exit: 25, means: 'The end is missing.' },
  ALTERED: { exit: 23, means: 'An entry is not the one that was recorded.' },
  MISSING_SESSION: { exit: 27, means: 'The log, or a receipt, has a session of which there is no recording.' },
  LOG_ROLLBACK: { exit: 29, means: 'The log is shorter than what was signed.' },
  FORK: { exit: 26, means: 'The log contradicts what was signed, or itself.' },
} as const satisfies Record<string, { exit: number; means: string }>;

export type VerdictName = keyof typeof verdicts;

export interface Verdict {
  verdict: VerdictName;
  /** Where: the number of an entry, or a size of the log. */
  at?: number;
  why: string;
}

const names = Object.keys(verdicts) as VerdictName[];

/** The one that weighs most; the first of equals. */
export const worst = (found: readonly Verdict[]): Verdict | undefined =>
  found.reduce<Verdict | undefined>(
    (most, each) => (most && names.indexOf(most.verdict) >= names.indexOf(each.verdict) ? most : each),
    undefined,
  );
