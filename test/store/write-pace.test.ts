import { describe, expect, it } from 'vitest';
import { WritePace } from '../../src/store/write-pace.ts';

const after = (millis: number[]): WritePace => {
  const pace = new WritePace();
  for (const each of millis) pace.took(each);
  return pace;
};
const quick = (count: number): number[] => Array.from({ length: count }, () => 0.2);
const slow = (count: number): number[] => Array.from({ length: count }, () => 3);

describe('whether writes are waited for on the event loop', () => {
  it('not before a hundred have been measured', () => {
    expect(after([]).isQuick).toBe(false);
    expect(after(quick(99)).isQuick).toBe(false);
    expect(after(quick(100)).isQuick).toBe(true);
  });

  it('when a quarter of those in the pool was quick: the others may have waited for a processor', () => {
    expect(after([...quick(25), ...slow(75)]).isQuick).toBe(true);
    expect(after([...quick(24), ...slow(76)]).isQuick).toBe(false);
  });

  it('never where every write is slow', () => {
    expect(after(slow(10_000)).isQuick).toBe(false);
  });

  it('of the thread’s own one slow write in a hundred is p99, two are not', () => {
    expect(after([...quick(100), ...quick(50), 3]).isQuick).toBe(true);
    expect(after([...quick(100), ...quick(50), 3, 3]).isQuick).toBe(false);
    expect(after([...quick(100), 3, ...quick(98), 3]).isQuick).toBe(false);
    expect(after([...quick(100), 3, ...quick(99), 3]).isQuick).toBe(true);
  });

  it('one that stalls ends it at once, until a hundred went through the pool', () => {
    expect(after([...quick(500), 20]).isQuick).toBe(false);
    expect(after([...quick(500), 20, ...quick(99)]).isQuick).toBe(false);
    expect(after([...quick(500), 20, ...quick(100)]).isQuick).toBe(true);
  });

  it('a disk that stalls now and then holds the loop up for few writes of many', () => {
    const pace = new WritePace();
    let held = 0;
    for (let write = 0; write < 100_000; write++) {
      const stalls = write % 4 === 0;
      if (stalls && pace.isQuick) held++;
      pace.took(stalls ? 20 : 0.2);
    }
    expect(held).toBeLessThan(100_000 / 100);
  });
});
