import { describe, expect, it } from 'vitest';
import { ByteQueue } from '../../src/protocol/byte-queue.ts';
import { ByteRuns } from '../../src/protocol/byte-runs.ts';

describe('ByteQueue', () => {
  it('gives back what came in, however it was cut', () => {
    const queue = new ByteQueue();
    const bytes = Uint8Array.from({ length: 1000 }, (_, index) => index % 251);
    for (let at = 0; at < bytes.length; at += 7) queue.push(bytes.subarray(at, at + 7));
    expect(queue.length).toBe(1000);
    expect(queue.take()).toEqual(bytes);
    expect(queue.length).toBe(0);
  });

  it('never changes what it handed over', () => {
    const queue = new ByteQueue();
    queue.push(Uint8Array.of(1, 2));
    const first = queue.take();
    queue.push(Uint8Array.of(3, 4));
    expect(first).toEqual(Uint8Array.of(1, 2));
    expect(queue.peek()).toEqual(Uint8Array.of(3, 4));
  });

  it('weighs at most about twice what came, a byte at a time', () => {
    const queue = new ByteQueue();
    for (let index = 0; index < 100_000; index++) queue.push(Uint8Array.of(1));
    expect(queue.peek().buffer.byteLength).toBeLessThanOrEqual(200_000);
  });
});

describe('ByteRuns', () => {
  const large = 16 * 1024;

  it('joins neighbours in memory and nothing else, in order', () => {
    const runs = new ByteRuns();
    const chunk = Uint8Array.of(0, 1, 2, 3, 4, 5);
    runs.add(chunk.subarray(0, 2));
    runs.add(chunk.subarray(2, 4));
    runs.add(new Uint8Array(large));
    runs.add(chunk.subarray(4, 5));
    runs.add(chunk, 5);
    expect(runs.isEmpty).toBe(false);
    const taken = runs.take();
    expect(taken.map((bytes) => bytes.length)).toEqual([4, large, 2]);
    expect([[...taken[0]!], [...taken[2]!]]).toEqual([
      [0, 1, 2, 3],
      [4, 5],
    ]);
    expect(taken[0]!.buffer).toBe(chunk.buffer);
    expect(runs.isEmpty).toBe(true);
    expect(runs.take()).toEqual([]);
  });

  it('hands on the very chunk that was added piece by piece', () => {
    const runs = new ByteRuns();
    const chunk = Uint8Array.of(0, 1, 2, 3);
    runs.add(chunk, 0, 1);
    runs.add(chunk, 1, 4);
    expect(runs.take()[0]).toBe(chunk);
  });

  it('puts a few small ones together, in memory of their own', () => {
    const runs = new ByteRuns();
    const chunk = Uint8Array.of(0, 1, 2, 3);
    runs.add(chunk, 2, 3);
    runs.add(Uint8Array.of(9));
    runs.add(chunk, 0, 2);
    const taken = runs.take();
    chunk.fill(7);
    expect(taken.map((bytes) => [...bytes])).toEqual([[2, 9, 0, 1]]);
  });
});
