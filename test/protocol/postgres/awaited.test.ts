import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Awaited, AwaitedQueue } from '../../../src/protocol/postgres/awaited.ts';

const entries = (queue: AwaitedQueue): number[] => {
  const found: number[] = [];
  queue.find(({ entry }) => {
    found.push(entry);
    return false;
  });
  return found;
};

it('is a queue of which the second can be taken out', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('push', 'shift', 'drop second')), (acts) => {
      const queue = new AwaitedQueue();
      const expected: number[] = [];
      for (const [entry, act] of acts.entries()) {
        if (act === 'push') {
          queue.push(new Awaited('sync', entry, 0));
          expected.push(entry);
        } else if (act === 'shift' && expected.length > 0) expect(queue.shift().entry).toBe(expected.shift());
        else if (act === 'drop second' && expected.length > 1) {
          queue.dropSecond();
          expected.splice(1, 1);
        }
        expect(entries(queue)).toEqual(expected);
        expect(queue.head?.entry).toBe(expected[0]);
      }
    }),
  );
});

it('what was taken off keeps nothing alive that came later', () => {
  const queue = new AwaitedQueue();
  const items = [0, 1, 2, 3].map((entry) => new Awaited('parse', entry, 0));
  for (const item of items) queue.push(item);
  queue.dropSecond();
  queue.shift();
  expect(items.map(({ next }) => next?.entry)).toEqual([undefined, undefined, 3, undefined]);
});

it('an outcome is due of what runs something', () => {
  const kinds = ['parse', 'bind', 'describe', 'close', 'execute', 'sync', 'query', 'function-call'] as const;
  const due = kinds.filter((kind) => new Awaited(kind, 0, 0).expectsOutcome);
  expect(due).toEqual(['execute', 'query', 'function-call']);
});
