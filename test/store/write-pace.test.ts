import { describe, expect, it } from 'vitest';
import { WritePace } from '../../src/store/write-pace.ts';

const after = (millis: number[]): WritePace => {
  const pace = new WritePace();
  for (const each of millis) pace.took(each);
  return pace;
};
const quick = (count: number): number[] => Array.from({ length: count }, () => 0.2);

describe('whether writes are waited for on the event loop', () => {
  it('not before a hundred have been measured', () => {
    expect(after([]).isQuick).toBe(false);
    expect(after(quick(99)).isQuick).toBe(false);
    expect(after(quick(100)).isQuick).toBe(true);
  });

  it('one slow write in a hundred is p99, two are not', () => {
    expect(after([...quick(99), 3]).isQuick).toBe(true);
    expect(after([...quick(98), 3, 3]).isQuick).toBe(false);
  });

  it('slow writes are forgotten after a hundred more', () => {
    expect(after([3, 3, ...quick(98)]).isQuick).toBe(false);
    expect(after([3, 3, ...quick(100)]).isQuick).toBe(true);
  });

  it('one that stalls ends it at once, until a hundred were quick again', () => {
    expect(after([...quick(500), 20]).isQuick).toBe(false);
    expect(after([...quick(500), 20, ...quick(99)]).isQuick).toBe(false);
    expect(after([...quick(500), 20, ...quick(100)]).isQuick).toBe(true);
  });
});
