import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EntryBody } from '../../src/recording/entry.ts';
import {
  commitmentHolds,
  decodeEntry,
  encodeEntry,
  firstPrevious,
  headerBytes,
} from '../../src/recording/entry-codec.ts';

const place = {
  stream: 3,
  seq: 7,
  timeMicros: 1_790_000_000_000_001,
  salt: Buffer.alloc(16, 9),
  previous: firstPrevious(Buffer.alloc(16)).toString('latin1'),
};
const again = (body: EntryBody) => decodeEntry(encodeEntry(body, place)).body;

const bytes = fc.uint8Array({ maxLength: 40 }).map((value) => Buffer.from(value));
const whole = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const statement = fc.record(
  {
    kind: fc.constant('statement' as const),
    verb: fc.string(),
    expectsOutcome: fc.boolean(),
    text: bytes,
    of: whole,
    statementName: bytes,
    portalName: bytes,
    parameterTypes: fc.array(fc.integer({ min: -1, max: 0xffff_ffff })),
    parameters: fc.array(
      fc.record({
        type: fc.integer({ min: 0, max: 0xffff_ffff }),
        format: fc.integer({ min: -32768, max: 32767 }),
        value: fc.option(bytes),
      }),
    ),
    resultFormats: fc.array(fc.integer({ min: -32768, max: 32767 })),
    rowLimit: fc.maxSafeInteger(),
    arguments: fc.array(bytes),
    functionId: whole,
    encoding: fc.string(),
    resolved: fc.boolean(),
    redactions: fc.array(fc.string()),
    class: fc.string(),
  },
  { requiredKeys: ['kind', 'verb', 'expectsOutcome'], noNullPrototype: true },
);

describe('an entry', () => {
  it('is read as it was written, whatever it says', () => {
    fc.assert(
      fc.property(statement, (body) => {
        expect(again(body)).toEqual(body);
      }),
      { numRuns: 300 },
    );
  });

  it.each<EntryBody>([
    { kind: 'data', of: 4, bytes: Buffer.from('d') },
    {
      kind: 'outcome',
      of: 4,
      status: 'ok',
      tag: 'SELECT 1',
      rows: 1,
      durationMicros: 0,
      resultDigest: Buffer.alloc(32, 1),
      resultBytes: 2,
    },
    { kind: 'outcome', of: 4, status: 'unknown' },
    { kind: 'outcome', of: 4, status: 'ok', rowsKept: 3 },
    { kind: 'rows', of: 4, messages: Buffer.from('gz'), messageBytes: 12 },
    { kind: 'state', name: 'search_path', value: 'a, b' },
    { kind: 'refusal', reason: 'unknown-message', message: 'type 0x21', text: Buffer.from('!') },
    { kind: 'cancel' },
    { kind: 'cancel', of: 9 },
    { kind: 'stream-open', facts: { pid: '1', executable: '/usr/bin/psql' } },
    { kind: 'stream-close', reason: 'client_closed' },
    { kind: 'note', name: 'expiry', facts: {} },
    { kind: 'interrupted', lastDurable: 12 },
    { kind: 'seal', reason: 'killed', entries: 3, statements: 1, errors: 0, streams: 1 },
  ])('keeps $kind', (body) => {
    expect(again(body)).toEqual(body);
  });

  it('tells NULL from an empty value', () => {
    const parameters = [
      { type: 25, format: 0, value: null },
      { type: 25, format: 0, value: Buffer.alloc(0) },
    ];
    const body = again({ kind: 'statement', verb: 'bind', expectsOutcome: true, parameters });
    expect(body).toMatchObject({ parameters });
  });

  it('keeps no reference to the buffers that it was given', () => {
    const text = Buffer.from('select 1');
    const entry = encodeEntry({ kind: 'statement', verb: 'query', expectsOutcome: true, text }, place);
    text.fill(0);
    expect(decodeEntry(entry).body).toMatchObject({ text: Buffer.from('select 1') });
  });

  it('shows an altered salt or payload, and is never misread whole', () => {
    const entry = encodeEntry({ kind: 'state', name: 'search_path', value: 'secret' }, place);
    expect(commitmentHolds(entry)).toBe(true);
    for (let at = headerBytes; at < entry.length; at++) {
      const altered = Buffer.from(entry);
      altered[at]! ^= 1;
      expect(commitmentHolds(altered)).toBe(false);
    }
    for (let end = 0; end < entry.length; end++) expect(() => decodeEntry(entry.subarray(0, end))).toThrow(RangeError);
  });

  it('refuses numbers that it could not give back', () => {
    expect(() => again({ kind: 'interrupted', lastDurable: -1 })).toThrow(RangeError);
    expect(() => again({ kind: 'interrupted', lastDurable: 2 ** 53 })).toThrow(RangeError);
  });

  it('reads mutated bytes without anything but a RangeError', () => {
    const seed = encodeEntry(
      {
        kind: 'statement',
        verb: 'bind',
        expectsOutcome: true,
        parameters: [{ type: 1, format: 0, value: Buffer.from('x') }],
        arguments: [Buffer.from('y')],
      },
      place,
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(seed.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        (changes) => {
          const altered = Buffer.from(seed);
          for (const [at, value] of changes) altered[at] = value;
          try {
            decodeEntry(altered);
          } catch (error) {
            expect(error).toBeInstanceOf(RangeError);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});
