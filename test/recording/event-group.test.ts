import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { checkedEntries, SessionChain } from '../../src/recording/chain.ts';
import { decodeEntry, decodeEvents, eventsOf, headerBytes, isOneOf, seqOf } from '../../src/recording/entry-codec.ts';
import type { EntryBody } from '../../src/recording/entry.ts';
import { EventGroup } from '../../src/recording/event-group.ts';
import { openSealed, readSealed, lastSealed, type PositionalReader } from '../../src/recording/sealed-reader.ts';
import { writeSealed } from '../../src/recording/sealed-writer.ts';
import { entriesOfStatement } from '../../src/recording/statement-entries.ts';
import { formatSessionId } from '../../src/recording/session-id.ts';
import { collect, each, query } from '../support/recorder.ts';

const idBytes = randomBytes(16);
const session = { id: formatSessionId(idBytes), idBytes };
const outcome = (of: number): EntryBody => ({ kind: 'outcome', of, status: 'ok' });
const note: EntryBody = { kind: 'note', name: 'n', facts: {} };

/** A chain of entries: of each list of bodies one. */
function chained(steps: EntryBody[][]): { entries: Buffer[]; chain: SessionChain } {
  const chain = new SessionChain(idBytes);
  const group = new EventGroup();
  const entries = steps.map((bodies) => {
    for (const body of bodies) group.add(body);
    const salt = randomBytes(16);
    const next = group.events.length > 0 ? chain.nextGroup(1, group, 1, salt) : chain.next(1, bodies[0]!, 1, salt);
    const entry = Buffer.from(next);
    chain.accept(entry);
    group.clear();
    return entry;
  });
  return { entries, chain };
}

const followed = (entries: Buffer[]) => collect(checkedEntries(session, each(entries)));

it('is read as its events, each with its own number', async () => {
  const steps = [[note], [query('select 1')], [query('a'), query('b'), outcome(1)], [note], [query('c'), outcome(2)]];
  const { entries } = chained(steps);
  const read = await collect(checkedEntries(session, each(entries)));
  expect(read.map(({ body }) => body)).toEqual(steps.flat());
  expect(read.map(({ header }) => header.seq)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect(entries.map(seqOf)).toEqual([0, 1, 2, 5, 6]);
  expect(entries.map(eventsOf)).toEqual([1, 1, 3, 1, 2]);
  for (const kind of ['statement', 'outcome'] as const) expect(isOneOf(new Set([kind]), entries[2]!)).toBe(true);
  expect(isOneOf(new Set(['data', 'note']), entries[2]!)).toBe(false);
  expect(isOneOf(new Set(['note']), entries[0]!)).toBe(true);
  expect(() => decodeEntry(entries[2]!)).toThrow(RangeError);
});

it('of one event is the entry that it would be alone', () => {
  const group = new EventGroup();
  group.add(query('select 1'));
  const salt = randomBytes(16);
  const grouped = Buffer.from(new SessionChain(idBytes).nextGroup(1, group, 1, salt));
  expect(grouped).toEqual(new SessionChain(idBytes).next(1, query('select 1'), 1, salt));
});

it('keeps no reference to what it was given', () => {
  const group = new EventGroup();
  const text = Buffer.from('select 1');
  group.add({ kind: 'statement', verb: 'query', expectsOutcome: true, text });
  group.add(outcome(0));
  text.fill(0x20);
  const events = decodeEvents(new SessionChain(idBytes).nextGroup(1, group, 1, randomBytes(16)));
  expect(events[0]!.body).toEqual(query('select 1'));
});

it('takes neither what is too much nor what stands alone, and stays as it was', () => {
  const group = new EventGroup();
  expect(group.add(query('x'.repeat(2000)))).toBe(true);
  expect(group.add(query('y'.repeat(2000)))).toBe(false);
  expect(group.add(note)).toBe(false);
  expect(group.add({ kind: 'stream-close', reason: 'r' })).toBe(false);
  expect(group.add({ kind: 'seal', reason: 'r', entries: 1, statements: 0, errors: 0, streams: 0 })).toBe(false);
  expect(group.add(outcome(0))).toBe(true);
  expect(group.events).toEqual([query('x'.repeat(2000)), outcome(0)]);
});

it('that claims another number of events, or holds what it may not, is a RangeError', async () => {
  const { entries } = chained([[note], [query('a'), query('b')]]);
  const group = entries[1]!;
  const altered = (change: (bytes: Buffer) => void) => {
    const bytes = Buffer.from(group);
    change(bytes);
    return bytes;
  };
  for (const further of [0, 2, 0xffff])
    expect(() => decodeEvents(altered((bytes) => bytes.writeUInt16BE(further, 2)))).toThrow(RangeError);
  for (const kind of [0, 1, 2, 9, 12, 13, 14, 15])
    expect(() => decodeEvents(altered((bytes) => (bytes[headerBytes + 16] = kind)))).toThrow(RangeError);
  const alone = altered((bytes) => (bytes[1] = 3));
  expect(() => decodeEvents(alone)).toThrow('statement with 2 events');
  await expect(followed([entries[0]!, alone])).rejects.toThrow('damaged at entry 1: not an entry');
});

it('is followed by the number after its last event, and no other', async () => {
  const { entries } = chained([[note], [query('a'), query('b')], [note]]);
  const [first, , last] = entries as [Buffer, Buffer, Buffer];
  await expect(followed([first, last])).rejects.toThrow('damaged at entry 1: numbered 3');
});

it('that was erased is so many erased events', async () => {
  const { entries } = chained([[note], [query('a'), query('b')], [note]]);
  entries[1] = entries[1]!.subarray(0, headerBytes);
  const read = await collect(checkedEntries(session, each(entries)));
  expect(read.map(({ header, body }) => [header.seq, body.kind])).toEqual([
    [0, 'note'],
    [1, 'erased'],
    [2, 'erased'],
    [3, 'note'],
  ]);
});

it('is what is erased when one of its events is', async () => {
  const bind: EntryBody = { kind: 'statement', verb: 'bind', expectsOutcome: false, of: 1 };
  const execute: EntryBody = { kind: 'statement', verb: 'execute', expectsOutcome: true, of: 2 };
  const parse: EntryBody = { kind: 'statement', verb: 'parse', expectsOutcome: false, text: Buffer.from('select 1') };
  const { entries } = chained([[note], [parse], [bind, execute], [outcome(3)], [query('x'), query('y')]]);
  const found = (seq: number, only = false) => entriesOfStatement(each(entries), seq, only);
  expect(await found(3)).toEqual({ kind: 'statement', entries: [1, 2, 4], events: [1, 2, 3, 4] });
  expect(await found(3, true)).toEqual({ kind: 'statement', entries: [2], events: [2, 3] });
  expect(await found(6)).toEqual({ kind: 'statement', entries: [5], events: [5, 6] });
  expect(await found(7)).toBeUndefined();
  entries[4] = entries[4]!.subarray(0, headerBytes);
  expect(await found(6)).toEqual({ kind: 'group', entries: [5], events: [5, 6] });
});

const readerOf = (bytes: Buffer): PositionalReader => ({
  size: bytes.length,
  read: async (offset, count) => bytes.subarray(offset, offset + count),
});

it('is found in a sealed recording by any of its numbers, wherever the members of the two files begin', async () => {
  const arbitrary = fc.array(
    fc.oneof(
      fc
        .integer({ min: 2, max: 12 })
        .map((count) => Array.from({ length: count }, (_, at) => query(`${at}`.repeat(9)))),
      fc.integer({ min: 1, max: 500_000 }).map((size) => [query('x'.repeat(size))]),
    ),
    { minLength: 1, maxLength: 12 },
  );
  await fc.assert(
    fc.asyncProperty(arbitrary, async (steps) => {
      const { entries, chain } = chained(steps);
      const files = { chain: [] as Buffer[], payload: [] as Buffer[] };
      const to = (kind: 'chain' | 'payload') => async (bytes: Uint8Array) => void files[kind].push(Buffer.from(bytes));
      await writeSealed(idBytes, each(entries), { chain: to('chain'), payload: to('payload') }, () => chain.head);
      const sealed = await openSealed({
        chain: readerOf(Buffer.concat(files.chain)),
        payload: readerOf(Buffer.concat(files.payload)),
      });
      expect(await lastSealed(sealed)).toEqual(entries.at(-1));
      for (let seq = 0; seq < chain.seq; seq += 1 + (seq % 3)) {
        const from = entries.findLastIndex((entry) => seqOf(entry) <= seq);
        const read = await collect(readSealed(sealed, seq));
        expect(Buffer.concat(read).equals(Buffer.concat(entries.slice(from)))).toBe(true);
      }
      expect(await collect(readSealed(sealed, chain.seq))).toEqual([]);
    }),
    { numRuns: 6 },
  );
}, 60_000);
