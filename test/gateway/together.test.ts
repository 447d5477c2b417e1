import { afterEach, beforeEach, expect, it } from 'vitest';
import type { StreamRecorder } from '../../src/gateway/recorder.ts';
import type { Event } from '../../src/protocol/event.ts';
import { seqOf } from '../../src/recording/entry-codec.ts';
import { collect, query, sessionFacts, startTestRecorder, type TestRecorder } from '../support/recorder.ts';

let test: TestRecorder;
beforeEach(async () => {
  test = await startTestRecorder();
});
afterEach(() => test.remove());

const outcome = (of: number): Event => ({ kind: 'outcome', of, status: 'ok' });
const together = <T>(stream: StreamRecorder, act: () => T) => stream.together(act, undefined);
const open = () => {
  const session = test.recorder.openSession(sessionFacts());
  return { session, stream: session.stream(1) };
};
const all = (stream: StreamRecorder, events: Event[]) => events.map((event) => stream.append(event));
const raw = async (id: string) => collect((await test.recorder.readRaw(id)).entries);

it('what came of one step is one entry; its events have the numbers that they were given', async () => {
  const { session, stream } = open();
  const numbers = together(stream, () => all(stream, [query('a'), query('b')]));
  expect(stream.append(outcome(numbers[0]!))).toBe(numbers[1]! + 1);
  await session.durable();
  expect(numbers).toEqual([2, 3]);
  expect((await raw(session.id)).map(seqOf)).toEqual([0, 1, 2, 4]);
  const read = await collect(test.recorder.readEntries(session.id));
  expect(read.map(({ header }) => header.seq)).toEqual([0, 1, 2, 3, 4]);
  expect(read[3]!.body).toEqual(query('b'));
});

it('a step of which nothing comes is no entry, and one of one event is that event’s', async () => {
  const { session, stream } = open();
  together(stream, () => undefined);
  together(stream, () => stream.append(query('a')));
  await session.durable();
  const read = await collect(test.recorder.readEntries(session.id));
  expect(read.map(({ header }) => [header.kind, header.events])).toEqual([
    ['genesis', 1],
    ['stream-open', 1],
    ['statement', 1],
  ]);
});

it('what is too large for one entry is several, in order', async () => {
  const { session, stream } = open();
  const events = [query('a'), query('x'.repeat(10_000)), query('b'), query('y'.repeat(3000)), query('z'.repeat(3000))];
  const numbers = together(stream, () => all(stream, events));
  expect(numbers).toEqual([2, 3, 4, 5, 6]);
  await session.durable();
  const read = await collect(test.recorder.readEntries(session.id));
  expect(read.slice(2).map(({ body }) => body)).toEqual(events);
  expect((await raw(session.id)).map(seqOf)).toEqual([0, 1, 2, 3, 4, 6]);
});

it('a step that throws leaves what it had appended', async () => {
  const { session, stream } = open();
  expect(() =>
    together(stream, () => {
      all(stream, [query('a'), query('b')]);
      throw new Error('in the middle');
    }),
  ).toThrow('in the middle');
  await session.durable();
  expect(await collect(test.recorder.readEntries(session.id))).toHaveLength(4);
});

it('counts statements and knows which are open, as if they stood alone', async () => {
  const { session, stream } = open();
  const [first, second] = together(stream, () => all(stream, [query('a'), query('b')])) as [number, number];
  expect(session.isAnswering).toBe(true);
  together(stream, () => all(stream, [outcome(first), { kind: 'outcome', of: second, status: 'error' }]));
  expect(session.isAnswering).toBe(false);
  expect(session.counters).toMatchObject({ statements: 2, errors: 1 });
  await session.seal('client_closed');
  const read = await collect(test.recorder.readEntries(session.id));
  expect(read.at(-1)!.body).toMatchObject({ kind: 'seal', entries: read.length, statements: 2, errors: 1 });
});

it('a step that the journal does not take has given no number away, and opens no statement', async () => {
  await test.remove();
  test = await startTestRecorder({ pendingBytesMax: 4096 });
  const { session, stream } = open();
  await session.durable();
  expect(() =>
    together(stream, () => all(stream, [query('x'.repeat(1900)), query('y'.repeat(1900)), query('z'.repeat(1900))])),
  ).toThrow(/lags/);
  await session.durable();
  const kept = (await collect(test.recorder.readEntries(session.id))).length;
  expect(stream.append(query('after'))).toBe(kept);
  await session.seal('client_closed');
  const read = await collect(test.recorder.readEntries(session.id));
  expect(read.map(({ header }) => header.seq)).toEqual(read.map((_, at) => at));
  const asked = read.filter(({ body }) => body.kind === 'statement').map(({ header }) => header.seq);
  const answered = read.flatMap(({ body }) => (body.kind === 'outcome' ? [body.of] : []));
  expect(answered).toEqual(asked);
});
