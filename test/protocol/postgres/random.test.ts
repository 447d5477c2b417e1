import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Event, StatementEvent } from '../../../src/protocol/event.ts';
import type { Step } from '../../../src/protocol/protocol.ts';
import { createDecoder } from '../../../src/protocol/postgres/decoder.ts';
import { say } from '../../support/frontend-messages.ts';
import { ToyPostgres } from '../../support/toy-postgres.ts';

interface Run {
  events: Event[];
  toResource: string;
  toClient: string;
  /** What the server says that it ran. */
  executed: string[];
  end: Step['end'];
}

/** Where to cut: a chunk's next size, from a list that is walked round and round. */
type Cuts = readonly number[];
const whole: Cuts = [2 ** 20];
const byteByByte: Cuts = [1];

/** Plays the client's turns against the toy server: in each, the client's bytes first, then the server's answers, until it is quiet. */
function play(
  turns: readonly Uint8Array[],
  cuts: Cuts,
  corrupt: (answer: Uint8Array) => Uint8Array = (same) => same,
): Run {
  const events: Event[] = [];
  const decoder = createDecoder({
    sink: { append: (event) => events.push(copied(event)) - 1 },
    clock: { nowMicros: () => 0, monotonicMicros: () => 0 },
    messageBytesMax: 2 ** 16,
    greeting: new Uint8Array(0),
  });
  const server = new ToyPostgres();
  const sent: Uint8Array[] = [];
  const got: Uint8Array[] = [];
  let end: Step['end'] = null;
  const feed = (bytes: Uint8Array, take: (chunk: Uint8Array) => Step): Uint8Array => {
    const forServer: Uint8Array[] = [];
    for (let at = 0, turn = 0; at < bytes.length; turn++) {
      const size = cuts[turn % cuts.length]!;
      const step = take(Uint8Array.from(bytes.subarray(at, at + size)));
      forServer.push(...step.toResource.map((one) => Uint8Array.from(one)));
      got.push(...step.toClient.map((one) => Uint8Array.from(one)));
      end ??= step.end;
      at += size;
    }
    sent.push(...forServer);
    return Buffer.concat(forServer);
  };
  for (const turn of turns) {
    let forServer = feed(turn, (chunk) => decoder.client(chunk));
    while (forServer.length > 0)
      forServer = feed(corrupt(server.answer(forServer)), (chunk) => decoder.resource(chunk));
  }
  end ??= decoder.resourceEnded().end;
  return { events: merged(events), toResource: hex(sent), toClient: hex(got), executed: server.executed, end };
}

/** Adjacent data of one statement is one. */
function merged(events: Event[]): Event[] {
  // Numbers of entries depend on how data was cut: count without data.
  const numbers: number[] = [];
  let next = 0;
  const out: Event[] = [];
  for (const event of events) {
    const last = out.at(-1);
    const renumbered = 'of' in event && event.of !== undefined ? { ...event, of: numbers[event.of]! } : event;
    if (renumbered.kind === 'data' && last?.kind === 'data' && last.of === renumbered.of) {
      last.bytes = Buffer.concat([last.bytes, renumbered.bytes]);
      numbers.push(next - 1);
    } else {
      out.push(renumbered as Event);
      numbers.push(next++);
    }
  }
  return out;
}

const copied = (event: Event): Event => structuredClone(event);
const hex = (parts: Uint8Array[]): string => Buffer.concat(parts).toString('hex');

const name = fc.constantFrom('', 'a', 'b');
const harmless = fc.nat({ max: 50 }).map((number) => `select ${number}`);
const text = fc.oneof(
  { weight: 6, arbitrary: harmless },
  { weight: 2, arbitrary: fc.constantFrom('take', 'take 2') },
  { weight: 1, arbitrary: fc.constantFrom('fail', 'copy out', 'insert é \\') },
);
/** What attacks are made of: names defined, redefined, closed, bound and run, in few messages. */
const unit: fc.Arbitrary<Uint8Array[]> = fc.oneof(
  text.map((sql) => [say.query(sql)]),
  fc.constant('take').map((sql) => [say.query(sql)]),
  fc.tuple(name, text).map(([to, sql]) => [say.parse(to, sql)]),
  fc.tuple(name, text).map(([to, sql]) => [say.closeStatement(to), say.parse(to, sql)]),
  fc.tuple(name, name, fc.string({ maxLength: 5 })).map(([portal, of, value]) => [say.bind(portal, of, value)]),
  fc.tuple(name, name).map(([portal, of]) => [say.bind(portal, of), say.execute(portal)]),
  name.map((portal) => [say.execute(portal)]),
  fc
    .oneof(name.map(say.describeStatement), name.map(say.closeStatement), name.map(say.closePortal))
    .map((one) => [one]),
  fc.constantFrom(say.sync(), say.sync(), say.flush()).map((one) => [one]),
  fc.tuple(name, text).map(([to, sql]) => [say.parse(to, sql), say.bind('', to), say.execute(''), say.sync()]),
);
const copying: fc.Arbitrary<Uint8Array[]> = fc.oneof(
  fc
    .array(fc.string({ maxLength: 300 }), { maxLength: 3 })
    .map((rows) => [say.query('copy in'), ...rows.map((rowText) => say.copyData(rowText)), say.copyDone()]),
  fc.constant('no').map((reason) => [say.query('copy in'), say.copyData('x'), say.copyFail(reason)]),
);
const conversation = fc
  .array(
    fc.array(fc.oneof({ weight: 9, arbitrary: unit }, { weight: 1, arbitrary: copying }), {
      minLength: 1,
      maxLength: 10,
    }),
    {
      minLength: 1,
      maxLength: 6,
    },
  )
  .map((turns) => turns.map((units) => Buffer.concat([...units.flat(), say.sync()])));
const cutting = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 });

describe('any conversation', () => {
  it('gives the same events and the same bytes however it is cut, and is never refused', () => {
    fc.assert(
      fc.property(conversation, cutting, (turns, cuts) => {
        const expected = play(turns, whole);
        expect(expected.end?.by).toBe('resource');
        expect(play(turns, byteByByte)).toEqual(expected);
        expect(play(turns, cuts)).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  it('has exactly one outcome for everything that expects one, and none before it', () => {
    fc.assert(
      fc.property(conversation, (turns) => {
        const { events } = play(turns, whole);
        for (const [seq, event] of events.entries()) {
          const outcomes = events.flatMap((other, at) => (other.kind === 'outcome' && other.of === seq ? [at] : []));
          if (event.kind === 'statement' && event.expectsOutcome) expect(outcomes).toHaveLength(1);
          expect(outcomes.every((at) => at > seq)).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('shows what ran, in order, whatever was done to names', () => {
    fc.assert(
      fc.property(conversation, (turns) => {
        const { events, executed } = play(turns, whole);
        const shown = ranIn(events);
        expect(shown).toHaveLength(executed.length);
        for (const [index, one] of shown.entries())
          expect(one.isSure ? one.text : executed[index]).toBe(executed[index]);
      }),
      { numRuns: 1000 },
    );
  });
});

/** What the record says that ran: Queries and Executes that ended well, each with the text that it leads to. */
function ranIn(events: Event[]): { text: string; isSure: boolean }[] {
  const statement = (seq: number | undefined): StatementEvent => events[seq!] as StatementEvent;
  return events.flatMap((event) => {
    if (event.kind !== 'outcome' || event.status !== 'ok') return [];
    const ran = statement(event.of);
    if (ran.verb === 'query') return [{ text: Buffer.from(ran.text!).toString(), isSure: true }];
    if (ran.verb !== 'execute') return [];
    const { text } = statement(statement(ran.of).of);
    return [{ text: Buffer.from(text!).toString(), isSure: ran.resolved !== false }];
  });
}

const mutation = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }));
function mutated(bytes: Uint8Array, [where, value]: [number, number]): Uint8Array {
  const copy = Uint8Array.from(bytes);
  if (copy.length > 0) copy[where % copy.length] = value;
  return copy;
}

describe('damaged bytes', () => {
  it('of the client never throw, and give the same whatever the cuts', () => {
    fc.assert(
      fc.property(conversation, mutation, cutting, (turns, change, cuts) => {
        const damaged = turns.map((turn, index) => (index === change[0] % turns.length ? mutated(turn, change) : turn));
        const expected = play(damaged, whole);
        expect(play(damaged, cuts)).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  it('of the server never throw: they pass, or they end the stream with a refusal', () => {
    fc.assert(
      fc.property(conversation, mutation, (turns, change) => {
        const { events, end } = play(turns, whole, (answer) => mutated(answer, change));
        const fatal = events.filter((event) => event.kind === 'refusal' && !event.reason.startsWith('unknown-'));
        expect(fatal).toHaveLength(end?.by === 'refused' ? 1 : 0);
      }),
      { numRuns: 500 },
    );
  });
});
