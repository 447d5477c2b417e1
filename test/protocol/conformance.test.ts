import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { inputsIn } from '../fuzz/seeds.ts';
import type { Input } from '../fuzz/engine/target.ts';
import { checkEvents, checkSame } from '../fuzz/targets/checks.ts';
import { Transcript } from '../fuzz/targets/transcript.ts';
import type { Event } from '../../src/protocol/event.ts';
import { localProtocolNamed } from '../../src/protocol/local-registry.ts';
import { protocolNamed, protocolNames } from '../../src/protocol/registry.ts';

/** What every protocol of the registry must do, whatever it is. The protocol's own tests say the rest. */
describe.each(protocolNames())('%s', (name) => {
  const protocol = protocolNamed(name)!;
  beforeAll(() => protocol.load?.());

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

  test('the client knows its part of it', () => {
    const local = localProtocolNamed(name)!;
    expect(Object.keys(local).length).toBeGreaterThan(2);
    expect(protocol).toMatchObject(local);
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

  const captured = inputsIn(`${name}/captured`);
  test('has captured conversations', () => expect(captured.length).toBeGreaterThan(0));

  describe.each(captured)('$file', ({ input }) => {
    /** Both sides of the conversation in turn; everything has its outcome in the end, because the resource ends. */
    function converse(turns: Input, cutTurn: (bytes: Uint8Array) => Uint8Array[]) {
      const transcript = new Transcript();
      const decoder = protocol.createDecoder({
        sink: transcript,
        clock: { nowMicros: () => 0, monotonicMicros: () => 0 },
        messageBytesMax: 1_000_000,
        greeting: new Uint8Array(0),
        credential: { user: 'hoop', password: 'local', database: '0' },
        randomBytes: (size) => new Uint8Array(size),
      });
      for (const { side, bytes } of turns)
        for (const piece of cutTurn(bytes))
          transcript.take(side === 0 ? decoder.client(piece) : decoder.resource(piece), decoder);
      transcript.take(decoder.resourceEnded(), decoder);
      return transcript;
    }
    const inBytes = (bytes: Uint8Array) => Array.from(bytes, (byte) => Uint8Array.of(byte));
    const isSame = (turns: Input, cutTurn: (bytes: Uint8Array) => Uint8Array[]) => {
      const whole = converse(turns, (bytes) => [bytes]);
      checkSame(whole, converse(turns, cutTurn));
      checkEvents(whole);
      return whole;
    };

    /** Captured before a resource itself: where hoop forwards something else (a Parse of its own), the answers do not fit any more. */
    const isFitting = ({ toResource }: Transcript) => {
      const sent = Buffer.concat(input.filter(({ side }) => side === 0).map(({ bytes }) => bytes));
      const forwarded = Buffer.concat(toResource);
      return sent.subarray(0, forwarded.length).equals(forwarded);
    };

    test('is taken, whole and byte by byte, and everything in it has one outcome', () => {
      const transcript = isSame(input, inBytes);
      const refusals = transcript.events.filter(({ kind }) => kind === 'refusal');
      expect(isFitting(transcript) ? refusals : []).toEqual([]);
    });

    test('in random cuts, truncated, with a byte changed: the same in other cuts, and nothing without an outcome', () => {
      const places = { turn: fc.nat(), at: fc.nat(), to: fc.nat(255), cuts: fc.array(fc.nat(), { maxLength: 8 }) };
      fc.assert(
        fc.property(
          fc.record({ ...places, how: fc.constantFrom('cut', 'truncate', 'change') }),
          ({ turn, at, to, cuts, how }) => {
            const place = turn % input.length;
            const damaged = input.slice(0, how === 'truncate' ? place + 1 : undefined).map((one, index) => {
              if (index !== place || how === 'cut') return one;
              const bytes = Uint8Array.from(one.bytes);
              if (how === 'truncate') return { ...one, bytes: bytes.subarray(0, at % bytes.length) };
              bytes[at % bytes.length] = to;
              return { ...one, bytes };
            });
            isSame(damaged, (bytes) => (bytes.length === 0 ? [] : cut(bytes, cuts)));
          },
        ),
        { numRuns: 100 },
      );
    });
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
