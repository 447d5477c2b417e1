import { expect } from 'vitest';
import type { Event, OutcomeEvent, StatementEvent } from '../../src/protocol/event.ts';
import type { Decoder, Step, StreamEnd } from '../../src/protocol/protocol.ts';
import { createDecoder } from '../../src/protocol/postgres/decoder.ts';

/** One thing that happens on a stream, in order. */
export type Turn = { client: Uint8Array[] } | { server: Uint8Array[] } | { act: Act };
type Act = 'client-ended' | 'resource-ended' | 'cancel' | 'abort' | 'drain';

export const client = (...client: Uint8Array[]): Turn => ({ client });
export const server = (...server: Uint8Array[]): Turn => ({ server });
export const act = (what: Act): Turn => ({ act: what });

export interface Course {
  events: Event[];
  /** Bytes that reached the server and the client, as latin1, so that a difference can be read. */
  toServer: string;
  toClient: string;
  end: StreamEnd | null;
  heldBytes: number;
}

export interface CourseOptions {
  messageBytesMax?: number;
  greeting?: Uint8Array;
  results?: 'digest' | 'rows';
}

/** Cuts bytes as a network might. */
type Cut = (bytes: Uint8Array) => Uint8Array[];

export const whole: Cut = (bytes) => [bytes];
export const byteByByte: Cut = (bytes) => Array.from(bytes, (byte) => Uint8Array.of(byte));

/** mulberry32: small and good enough to place cuts. */
export function randomCuts(seed: number): Cut {
  let state = seed;
  const random = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return (bytes) => {
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < bytes.length;) {
      const end = Math.min(bytes.length, at + 1 + Math.floor(random() * (random() < 0.5 ? 6 : 60)));
      pieces.push(Buffer.from(bytes.subarray(at, end)));
      at = end;
    }
    return pieces;
  };
}

/** Plays the turns against a fresh decoder. */
export function play(turns: Turn[], cut: Cut = whole, options: CourseOptions = {}): Course {
  const course: Course = { events: [], toServer: '', toClient: '', end: null, heldBytes: 0 };
  let sequence = 0;
  const decoder = createDecoder({
    sink: { append: (event) => (course.events.push(copy(event)), sequence++) },
    clock: { nowMicros: () => 0, monotonicMicros: () => 0 },
    messageBytesMax: options.messageBytesMax ?? 1_000_000,
    greeting: options.greeting ?? new Uint8Array(0),
    results: options.results,
    randomBytes: (size) => new Uint8Array(size), // so that all cuts of a conversation give the same
  });
  for (const turn of turns) {
    for (const step of steps(decoder, turn, cut)) {
      course.toServer += Buffer.concat(step.toResource).toString('latin1');
      course.toClient += Buffer.concat(step.toClient).toString('latin1');
      course.end ??= step.end;
    }
  }
  course.heldBytes = decoder.heldBytes;
  return course;
}

function* steps(decoder: Decoder, turn: Turn, cut: Cut): Iterable<Step> {
  if ('client' in turn) for (const chunk of cut(Buffer.concat(turn.client))) yield decoder.client(chunk);
  else if ('server' in turn) for (const chunk of cut(Buffer.concat(turn.server))) yield decoder.resource(chunk);
  else if (turn.act === 'client-ended') yield decoder.clientEnded();
  else if (turn.act === 'resource-ended') yield decoder.resourceEnded();
  else if (turn.act === 'abort') yield decoder.abort('HOOP_RECORDER', 'the record cannot be written');
  else if (turn.act === 'drain') yield decoder.drain('gateway_stopped', 'the gateway is stopping');
  else decoder.cancel();
}

/** An event as the record would keep it: nothing of it is a view of memory that is used again. */
const copy = (event: Event): Event => structuredClone(event);

/**
 * Plays a conversation whole, byte by byte and in random cuts: what was recorded, forwarded and answered must not depend on them.
 * Sequence numbers differ where neighbouring `data` events join, so entries are numbered anew without them.
 */
export function converse(turns: Turn[], options: CourseOptions = {}): Course {
  const first = play(turns, whole, options);
  const cuts: [string, Cut][] = [['byte by byte', byteByByte]];
  for (const seed of [1, 2, 3, 4]) cuts.push([`random cuts ${seed}`, randomCuts(seed)]);
  for (const [name, cut] of cuts) {
    const other = play(turns, cut, options);
    const seen = { cut: name, ...other, events: comparable(other.events) };
    expect(seen).toEqual({ cut: name, ...first, events: comparable(first.events) });
  }
  return first;
}

/** Adjacent data joined, and entries numbered by their place among the others. */
export function comparable(events: Event[]): unknown[] {
  const places = new Map<number, number>();
  const joined: { of?: number | undefined; kind: string; bytes?: Uint8Array }[] = [];
  for (const [sequence, event] of events.entries()) {
    const last = joined.at(-1);
    const of = 'of' in event && event.of !== undefined ? { of: places.get(event.of)! } : {};
    if (event.kind === 'data' && last?.kind === 'data') last.bytes = Buffer.concat([last.bytes!, event.bytes]);
    else joined.push({ ...event, ...of, ...(event.kind === 'data' ? { bytes: Buffer.from(event.bytes) } : {}) });
    places.set(sequence, joined.length - 1);
  }
  return joined;
}

export const kinds = ({ events }: Course): string[] =>
  events.map((event) => (event.kind === 'statement' ? event.verb : event.kind));

export const outcomes = ({ events }: Course): OutcomeEvent[] =>
  events.filter((event): event is OutcomeEvent => event.kind === 'outcome');

export const statements = ({ events }: Course, verb: string): StatementEvent[] =>
  events.filter((event): event is StatementEvent => event.kind === 'statement' && event.verb === verb);

export const refusals = ({ events }: Course): string[] =>
  events.flatMap((event) => (event.kind === 'refusal' ? [event.reason] : []));
