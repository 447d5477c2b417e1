import type { Statement } from '../shared/api.ts';
import { count, escapeControl } from './print.ts';

type Outcome = Statement['outcome'];

/** What came of a statement, in one line in which nothing is obeyed. */
export function outcomeWords(outcome: Outcome): string {
  if (outcome === null) return 'no outcome recorded';
  const { status, tag, rows, errorCode, errorMessage } = outcome;
  const why = escapeControl([errorCode, errorMessage].filter((part) => part !== undefined).join(' '));
  switch (status) {
    case 'ok':
      return tag === 'OK' ? tag : ['OK', escapeControl(tag ?? rowsShown(rows))].filter(Boolean).join(' ');
    case 'suspended':
      return ['SUSPENDED', rowsShown(rows), '(more to fetch)'].filter(Boolean).join(' ');
    case 'error':
      return `ERROR ${why}`.trimEnd();
    case 'refused':
      return `REFUSED by hoop, not forwarded: ${why}`;
    case 'cancelled':
      return `CANCELLED ${why}`.trimEnd();
    case 'skipped':
      return why === '' ? 'SKIPPED after an error before it in the pipeline' : `SKIPPED: ${why}`;
    case 'unknown':
      return 'UNKNOWN: whether it took effect was never heard';
  }
}

const tones = {
  ok: 'good',
  suspended: 'good',
  error: 'bad',
  refused: 'bad',
  cancelled: 'warn',
  skipped: 'warn',
  unknown: 'warn',
} as const;

export const outcomeTone = (outcome: Outcome): 'good' | 'warn' | 'bad' => tones[outcome?.status ?? 'unknown'];

const rowsShown = (rows: number | undefined): string => (rows === undefined ? '' : count(rows, 'row'));
