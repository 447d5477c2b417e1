import { execFileSync } from 'node:child_process';
import { afterAll, expect, it } from 'vitest';
import { compile } from '../support/compiled.ts';

const compiled = compile(['src/shared']);
afterAll(() => compiled.remove());

/** What a program of its own says, as JSON; it may have the module's functions. */
function says(program: string, tuned: boolean): unknown {
  const module = `const heap = await import('${compiled.url}src/shared/heap.js');`;
  const script = `${module}${tuned ? 'heap.tuneHeap();' : ''}${program}`;
  return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }));
}

/** Leaves enough alive, again and again, for V8 to want a larger young space; says in MiB how large it is then. */
const burst = `
  const { getHeapSpaceStatistics } = await import('node:v8');
  let alive = [];
  for (let made = 0; made < 3_000_000; made++) {
    const one = { made, list: [made] };
    if (made % 10 === 0) alive.push(one);
    if (made % 1_000_000 === 0) alive = [];
  }
  const young = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space');
  process.stdout.write(String(young.physical_space_size / 1024 / 1024));`;

it('keeps the young space as it is when a burst would let it grow', () => {
  const [small, usual] = [says(burst, true) as number, says(burst, false) as number];
  expect(small).toBeLessThanOrEqual(4);
  expect(usual).toBeGreaterThan(2 * small);
});

/** Carries 400 MiB in pieces of 64 KiB beside a heap of some size; says how often all of it was marked, and the most that dead pieces took. */
const carrying = `
  const { PerformanceObserver, constants } = await import('node:perf_hooks');
  const alive = Array.from({ length: 200_000 }, (_, index) => ({ index, list: [index] }));
  let [marked, most] = [0, 0];
  const count = (entries) => {
    for (const { detail } of entries) if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) marked++;
  };
  const observer = new PerformanceObserver((list) => count(list.getEntries()));
  observer.observe({ entryTypes: ['gc'] });
  for (let piece = 0; piece < 6400; piece++) {
    Buffer.allocUnsafeSlow(64 * 1024);
    heap.countCarried(64 * 1024);
    most = Math.max(most, process.memoryUsage().arrayBuffers);
    if (piece % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  count(observer.takeRecords());
  process.stdout.write(JSON.stringify({ marked, mib: most / 1024 / 1024, alive: alive.length }));`;

it('what carried bytes is collected young: the heap is not marked for it', () => {
  const [tuned, usual] = [true, false].map((each) => says(carrying, each) as { marked: number; mib: number });
  expect(tuned!.marked).toBeLessThanOrEqual(3);
  expect(usual!.marked).toBeGreaterThanOrEqual(tuned!.marked);
  expect(tuned!.mib).toBeLessThan(usual!.mib / 2);
});
