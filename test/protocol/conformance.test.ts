import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Event } from '../../src/protocol/event.ts';
import { protocolNamed, protocolNames } from '../../src/protocol/registry.ts';

/** What every protocol of the registry must do, whatever it is. The protocol's own tests say the rest. */
describe.each(protocolNames())('%s', (name) => {
  const protocol = protocolNamed(name)!;

  /** Feeds what a client sends, in pieces; the events, and what would have gone to the resource and back. */
  function feed(pieces: Uint8Array[]) {
    const events: Event[] = [];
    const decoder = protocol.createDecoder({
      sink: { append: (event) => events.push(structuredClone(event)) - 1 },
      clock: { nowMicros: () => 0, monotonicMicros: () => 0 },
      messageBytesMax: 4096,
      greeting: new Uint8Array(0),
    });
    const forwarded: Uint8Array[] = [];
    let ended = false;
    let eventsAtFirstByte: number | undefined;
    for (const piece of pieces) {
      if (ended) break;
      const step = decoder.client(piece);
      if (step.toResource.length > 0) eventsAtFirstByte ??= events.length;
      forwarded.push(...step.toResource);
      ended = step.end !== null;
      expect(decoder.heldBytes).toBeLessThanOrEqual(2 * 4096 + 64);
    }
    return { events, forwarded: Buffer.concat(forwarded).toString('hex'), ended, eventsAtFirstByte };
  }

  const bytes = fc.uint8Array({ minLength: 1, maxLength: 400 });
  const cut = (whole: Uint8Array, at: number[]) => {
    const places = [...new Set(at.map((place) => place % whole.length))].toSorted((a, b) => a - b);
    return [0, ...places].map((from, index) => whole.subarray(from, places[index])).filter(({ length }) => length > 0);
  };

  test('has its folder, its tests and its page', () => {
    const there = (path: string) => existsSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)));
    expect(there(`src/protocol/${name}/index.ts`)).toBe(true);
    expect(there(`docs/protocols/${name}.md`)).toBe(true);
    const own = readdirSync(fileURLToPath(new URL(`./${name}`, import.meta.url)));
    expect(own.filter((file) => file.endsWith('.test.ts')).length).toBeGreaterThan(3);
  });

  test('any bytes: no exception, nothing forwarded that no event precedes', () => {
    fc.assert(
      fc.property(bytes, (whole) => {
        const { eventsAtFirstByte } = feed([whole]);
        expect(eventsAtFirstByte).not.toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  test('any bytes: the same in other cuts give the same', () => {
    fc.assert(
      fc.property(bytes, fc.array(fc.nat(), { maxLength: 8 }), (whole, at) => {
        const [one, other] = [feed([whole]), feed(cut(whole, at))];
        expect([other.events, other.forwarded, other.ended]).toEqual([one.events, one.forwarded, one.ended]);
      }),
      { numRuns: 500 },
    );
  });

  test('an unknown message is refused, and the client is told', () => {
    const { events, forwarded, ended } = feed([new Uint8Array(64).fill(0xff)]);
    expect(events.map(({ kind }) => kind)).toEqual(['refusal']);
    expect([forwarded, ended]).toEqual(['', true]);
  });

  test('gives client programs an address with everything in it', () => {
    const { dsn, environment } = protocol.connectInfo({
      host: '127.0.0.1',
      port: 4711,
      user: 'hoop',
      password: 'local',
      database: 'orders',
    });
    expect(new URL(dsn)).toMatchObject({ port: '4711', username: 'hoop', password: 'local' });
    expect(Object.values(environment)).toContain(dsn);
  });

  test('has a fatal error of its own', () => {
    expect(Buffer.from(protocol.fatal('HOOP_SESSION_ENDED', 'the session ended')).toString()).toContain(
      'the session ended',
    );
  });
});
