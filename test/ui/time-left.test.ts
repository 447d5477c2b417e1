import { expect, test } from 'vitest';
import { timeLeft } from '../../src/ui/time-left.ts';

test.each([
  [-5, 'ends in 0 s'],
  [44_100, 'ends in 45 s'],
  [119_000, 'ends in 119 s'],
  [29.5 * 60_000, 'ends in 29 min'],
  [125 * 60_000, 'ends in 2 h 5 min'],
  [80 * 3_600_000, 'ends in 3 days'],
])('%d ms: %s', (millis, text) => expect(timeLeft(millis)).toBe(text));
