import { expect } from 'vitest';
import type { Event, OutcomeEvent, StatementEvent } from '../../src/protocol/event.ts';
import type { Decoder, Step, StreamEnd } from '../../src/protocol/protocol.ts';
import { createDecoder } from '../../src/protocol/redis/decoder.ts';
import { encodeCommand, latin1 } from '../../src/protocol/redis/messages.ts';
import { renderCommand } from '../../src/protocol/redis/render.ts';
import { byteByByte, randomCuts, whole } from './wire.ts';

type Act = 'client-ended' | 'resource-ended' | 'cancel' | 'abort' | 'drain';
/** One thing that happens on a stream, in order. */
export type Turn = { client: Uint8Array } | { server: Uint8Array } | { act: Act };

/** A command as a line without quotes, or its words; several are a pipeline. */
export const asks = (...commands: (string | (string | Uint8Array)[])[]): Turn => ({
  client: Buffer.concat(commands.map((words) => encodeCommand(typeof words === 'string' ? words.split(' ') : words))),
});
export const raw = (text: string): Turn => ({ client: Buffer.from(text, 'latin1') });
/** What the server sends; `|` stands for CR LF. */
export const says = (text: string): Turn => ({ server: Buffer.from(text.replaceAll('|', '\r\n'), 'latin1') });
export const act = (act: Act): Turn => ({ act });

export interface Course {
  events: Event[];
  toServer: string;
  toClient: string;
  end: StreamEnd | null;
}

const credential = { user: 'hoop', password: 'local', database: '0' };
export const resp3 = Buffer.from('%0\r\n');

type Options = { greeting?: Uint8Array; messageBytesMax?: number };

function play(turns: Turn[], cut: (bytes: Uint8Array) => Uint8Array[], { greeting, messageBytesMax }: Options): Course {
  const course: Course = { events: [], toServer: '', toClient: '', end: null };
  const decoder = createDecoder({
    sink: { append: (event) => course.events.push(structuredClone(event)) - 1 },
    clock: { nowMicros: () => 0, monotonicMicros: () => 0 },
    messageBytesMax: messageBytesMax ?? 1_000_000,
    greeting: greeting ?? new Uint8Array(0),
    credential,
    randomBytes: (size) => Buffer.alloc(size, 7),
  });
  for (const turn of turns) {
    for (const step of steps(decoder, turn, cut)) {
      course.toServer += latin1(Buffer.concat(step.toResource));
      course.toClient += latin1(Buffer.concat(step.toClient));
      course.end ??= step.end;
    }
  }
  return course;
}

function* steps(decoder: Decoder, turn: Turn, cut: (bytes: Uint8Array) => Uint8Array[]): Iterable<Step> {
  if ('client' in turn) for (const chunk of cut(turn.client)) yield decoder.client(chunk);
  else if ('server' in turn) for (const chunk of cut(turn.server)) yield decoder.resource(chunk);
  else if (turn.act === 'client-ended') yield decoder.clientEnded();
  else if (turn.act === 'resource-ended') yield decoder.resourceEnded();
  else if (turn.act === 'abort') yield decoder.abort('HOOP_RECORDER', 'the record cannot be written');
  else if (turn.act === 'drain') yield decoder.drain('gateway_stopped', 'the gateway is stopping');
  else decoder.cancel();
}

/** Plays a conversation whole, byte by byte and in random cuts: what was recorded, forwarded and answered must not depend on them. */
export function converse(turns: Turn[], options: Options = {}): Course {
  const first = play(turns, whole, options);
  expect(play(turns, byteByByte, options)).toEqual(first);
  for (const seed of [1, 2, 3]) expect(play(turns, randomCuts(seed), options)).toEqual(first);
  return first;
}

/** Commands as lines with what came of them, and other events by their names: what a reader of the record sees. */
export function record({ events }: Course): string[] {
  return events.flatMap((event, seq) => {
    if (event.kind === 'outcome') return [];
    if (event.kind !== 'statement')
      return [
        `${event.kind} ${'reason' in event ? event.reason : 'name' in event ? `${event.name}=${event.value}` : ''}`,
      ];
    return [`${lineOf(event)} → ${comeOf(events, seq)}`];
  });
}

const lineOf = ({ arguments: words, of }: StatementEvent) =>
  renderCommand(words!) + (of === undefined ? '' : ` (of ${of})`);

function comeOf(events: Event[], seq: number): string {
  const outcomes = events.filter((event): event is OutcomeEvent => event.kind === 'outcome' && event.of === seq);
  return outcomes
    .map(({ status, tag, errorCode }) => [status, tag ?? errorCode].filter(Boolean).join(' '))
    .join(' AND ');
}
