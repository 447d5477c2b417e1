import { describe, expect, it } from 'vitest';
import type { Event } from '../../../src/protocol/event.ts';
import { createDecoder } from '../../../src/protocol/postgres/decoder.ts';
import { answer } from '../../support/backend-messages.ts';
import { say } from '../../support/frontend-messages.ts';
import { client, play, server } from '../../support/wire.ts';

describe('events', () => {
  it('of one kind have the same properties in the same order, whatever is known', () => {
    const { events } = play([
      client(say.query('select 1'), say.parse('s', 'A'), say.bind('p', 's', '1'), say.describeStatement('s')),
      client(say.describePortal('p'), say.execute('p'), say.closePortal('p'), say.sync()),
      server(answer.columns(), answer.row('1'), answer.complete('SELECT 1'), answer.ready()),
      server(answer.parsed(), answer.parsed(), answer.bound(), answer.error('22012')),
      client(say.query('select 2')),
      server(answer.ready()),
      client(say.parse('', 'B'), say.bind('', 'nowhere'), say.execute('')),
      { act: 'drain' },
      client(say.query('select 3')),
      { act: 'abort' },
    ]);
    for (const kind of ['statement', 'outcome']) {
      const shapes = events.filter((event) => event.kind === kind).map((event) => Object.keys(event).join(' '));
      expect(shapes.length).toBeGreaterThan(3);
      expect(new Set(shapes).size).toBe(1);
    }
  });
});

describe('the time of an answer', () => {
  it('is from the chunk that asked to the chunk that answered; the clock is read once for each', () => {
    const durations: (number | undefined)[] = [];
    let micros = 0;
    let reads = 0;
    const decoder = createDecoder({
      sink: { append: (event: Event) => (event.kind === 'outcome' && durations.push(event.durationMicros), 0) },
      clock: { nowMicros: () => 0, monotonicMicros: () => (reads++, micros) },
      messageBytesMax: 1000,
      greeting: new Uint8Array(0),
    });
    micros = 100;
    decoder.client(Buffer.concat([say.query('a'), say.query('b')]));
    micros = 150;
    decoder.client(say.query('c'));
    const done = Buffer.concat([answer.complete('A'), answer.ready()]);
    micros = 400;
    decoder.resource(Buffer.concat([done, done.subarray(0, 3)]));
    micros = 1000;
    decoder.resource(Buffer.concat([done.subarray(3), done]));
    expect(durations).toEqual([300, 900, 850]);
    expect(reads).toBe(4);
  });

  it('is not asked where nothing needs it', () => {
    let reads = 0;
    const decoder = createDecoder({
      sink: { append: () => 0 },
      clock: { nowMicros: () => 0, monotonicMicros: () => reads++ },
      messageBytesMax: 1000,
      greeting: new Uint8Array(0),
    });
    decoder.client(say.query('copy').subarray(0, 4));
    decoder.resource(answer.notice('n'));
    expect(reads).toBe(0);
  });
});
