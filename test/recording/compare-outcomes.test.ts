import { expect, test } from 'vitest';
import { compareOutcomes } from '../../src/recording/compare-outcomes.ts';
import type { OutcomeEvent } from '../../src/protocol/event.ts';
import type { Statement } from '../../src/shared/api.ts';

type Recorded = NonNullable<Statement['outcome']>;
const digest = (byte: number) => Buffer.alloc(32, byte);
const recorded = (more: Partial<Recorded> = {}): Recorded => ({
  status: 'ok',
  tag: 'SELECT 2',
  rows: 2,
  resultSha256: digest(1).toString('hex'),
  durationMicros: 1000,
  ...more,
});
const ran = (more: Partial<OutcomeEvent> = {}): OutcomeEvent => ({
  kind: 'outcome',
  of: 0,
  status: 'ok',
  tag: 'SELECT 2',
  rows: 2,
  resultDigest: digest(1),
  durationMicros: 1000,
  ...more,
});

test.each<[string, Recorded | null, OutcomeEvent | undefined, string]>([
  ['all alike', recorded(), ran(), 'same'],
  ['other words of the same error', error('23505', 'a'), failed('23505', 'b'), 'same'],
  ['another error', error('23505'), failed('40P01'), 'different-error'],
  ['an error now', recorded(), failed('40P01'), 'different-error'],
  ['no error now', error('23505'), ran(), 'different-error'],
  ['a preparation that failed and now does not', error('42601'), undefined, 'different-error'],
  ['the connection broke', recorded(), ran({ status: 'unknown' }), 'different-error'],
  ['skipped both times', { status: 'skipped' }, { kind: 'outcome', of: 0, status: 'skipped' }, 'same'],
  ['skipped now', recorded(), { kind: 'outcome', of: 0, status: 'skipped' }, 'different-error'],
  ['more rows', recorded(), ran({ tag: 'SELECT 3', rows: 3, resultDigest: digest(2) }), 'different-count'],
  ['suspended now', recorded(), ran({ status: 'suspended' }), 'different-count'],
  ['other rows', recorded(), ran({ resultDigest: digest(2) }), 'different-rows'],
  ['rows where there were none', { status: 'ok', tag: 'SELECT 2', rows: 2 }, ran(), 'different-rows'],
  ['a crash left no outcome', { status: 'unknown' }, ran(), 'not-compared'],
  ['still running when it was read', null, ran(), 'not-compared'],
])('%s', (_what, before, now, result) => {
  expect(compareOutcomes(before, now).result).toBe(result);
});

test('slower is said from twice the time and 50 ms on', () => {
  const slower = (before: number, now: number) =>
    compareOutcomes(recorded({ durationMicros: before }), ran({ durationMicros: now })).slowerBy;
  expect(slower(100, 40_000)).toBeUndefined();
  expect(slower(100_000, 190_000)).toBeUndefined();
  expect(slower(100_000, 250_000)).toBe(2.5);
});

function error(errorCode: string, errorMessage = ''): Recorded {
  return { status: 'error', errorCode, errorMessage };
}
function failed(errorCode: string, errorMessage = ''): OutcomeEvent {
  return { kind: 'outcome', of: 0, status: 'error', errorCode, errorMessage };
}
