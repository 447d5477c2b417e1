import { describe, expect, it } from 'vitest';
import { parseSpan, parseWhen } from '../../src/client/parse-time.ts';

const now = Date.parse('2026-11-22T12:00:00.000Z');

describe('--since and --until', () => {
  it.each([
    ['2h', '2026-11-22T10:00:00.000Z'],
    ['90s', '2026-11-22T11:58:30.000Z'],
    ['30min', '2026-11-22T11:30:00.000Z'],
    ['3d', '2026-11-19T12:00:00.000Z'],
    ['1w', '2026-11-15T12:00:00.000Z'],
    ['2026-11-22T10:00:00Z', '2026-11-22T10:00:00.000Z'],
    ['2026-11-22T10:00:00.5+02:00', '2026-11-22T08:00:00.500Z'],
    ['2026-11-22', new Date(2026, 10, 22).toISOString()],
    ['2026-11-22 10:30', new Date(2026, 10, 22, 10, 30).toISOString()],
  ])('%s', (text, shown) => {
    expect(parseWhen(text, '--since', now)).toBe(shown);
  });

  it.each(['', 'yesterday', '2', '2y', '-2h', '2026-13-01', '2026-02-30x', '22.11.2026', '1e3h'])(
    '%j is no time',
    (text) => {
      expect(() => parseWhen(text, '--since', now)).toThrow(/--since .* is not understood/);
    },
  );

  it('spans', () => {
    expect(parseSpan('30d', '--ttl')).toBe(30 * 86_400_000);
    expect(() => parseSpan('2026-11-22', '--ttl')).toThrow('--ttl');
  });
});
