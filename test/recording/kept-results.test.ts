import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import type { RowsEvent } from '../../src/protocol/event.ts';
import { KeptResults } from '../../src/recording/kept-results.ts';
import { limits } from '../../src/shared/limits.ts';

const rows = (text: string, messageBytes = text.length): RowsEvent => ({
  kind: 'rows',
  of: 1,
  messages: gzipSync(text),
  messageBytes,
});
const oneCell = (messages: Uint8Array) => [{ columns: ['all'], rows: [[Buffer.from(messages).toString()]] }];

function shown(...events: RowsEvent[]): string | null | undefined {
  const kept = new KeptResults();
  for (const event of events) kept.add(event);
  return kept.render(oneCell, [])?.[0]?.rows[0]?.[0];
}

it('joins the entries of one statement in order', () => {
  expect(shown(rows('one '), rows('two'))).toBe('one two');
});

it('has nothing to show without entries', () => {
  expect(shown()).toBeUndefined();
  expect(shown(rows('', 0))).toBeUndefined();
});

it('shows nothing of entries that nobody can read, and the statement is shown all the same', () => {
  expect(shown({ ...rows('one'), messages: Buffer.from('no gzip') })).toBeUndefined();
});

it('takes no recording at its word about how long its rows get', () => {
  expect(shown(rows('x'.repeat(10_000_000), 10))).toBeUndefined();
  const half = rows('x'.repeat(limits.resultBytesKeptMax / 2));
  expect(shown(half, half, half)).toHaveLength(limits.resultBytesKeptMax);
});
