import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { EntryBody } from '../../src/recording/entry.ts';
import { encodeFields, fieldsOf } from '../../src/recording/fields.ts';
import { payloadBytes, writePayload } from '../../src/recording/payload.ts';

const bytes = fc.uint8Array({ maxLength: 300 }).map((value) => Buffer.from(value));
const text = fc.oneof(fc.string(), fc.string({ unit: 'grapheme', maxLength: 100 }), fc.string({ minLength: 60 }));
const whole = fc.maxSafeNat();
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

const statement = fc.record({
  kind: fc.constant('statement' as const),
  verb: text,
  expectsOutcome: fc.boolean(),
  text: maybe(bytes),
  of: maybe(whole),
  statementName: maybe(bytes),
  portalName: maybe(bytes),
  parameterTypes: maybe(fc.array(fc.maxSafeInteger())),
  parameters: maybe(fc.array(fc.record({ type: fc.maxSafeInteger(), format: int32, value: fc.option(bytes) }))),
  resultFormats: maybe(fc.array(fc.maxSafeInteger())),
  rowLimit: maybe(fc.maxSafeInteger()),
  arguments: maybe(fc.array(bytes)),
  functionId: maybe(fc.maxSafeInteger()),
  encoding: maybe(text),
  resolved: maybe(fc.boolean()),
  redactions: maybe(fc.array(text)),
  class: maybe(text),
});
const outcome = fc.record({
  kind: fc.constant('outcome' as const),
  of: whole,
  status: fc.constantFrom('ok', 'error', 'skipped', 'cancelled', 'suspended', 'refused', 'unknown'),
  tag: maybe(text),
  rows: maybe(whole),
  errorCode: maybe(text),
  errorMessage: maybe(text),
  durationMicros: maybe(whole),
  resultDigest: maybe(bytes),
  resultBytes: maybe(whole),
  rowsKept: maybe(whole),
});
const data = fc.record({ kind: fc.constant('data' as const), of: whole, bytes });

function written(body: EntryBody): Buffer {
  const size = payloadBytes(body);
  const to = Buffer.alloc(size + 10, 0xee);
  expect(writePayload(body, to, 5)).toBe(size + 5);
  expect(to.subarray(0, 5).every((byte) => byte === 0xee) && to.subarray(size + 5).every((byte) => byte === 0xee)).toBe(
    true,
  );
  return to.subarray(5, size + 5);
}

it.each([
  ['statements', statement],
  ['outcomes', outcome],
  ['data', data],
] as [string, fc.Arbitrary<EntryBody>][])(
  '%s are written as the table of fields has them, to the byte',
  (_, events) => {
    fc.assert(
      fc.property(events, (body) => {
        expect(written(body).equals(encodeFields(fieldsOf(body.kind), body))).toBe(true);
      }),
      { numRuns: 500 },
    );
  },
);

it('every field of the table is among those that were written', () => {
  const names = (of: fc.Arbitrary<object>) => [...new Set(fc.sample(of, 1).flatMap(Object.keys))];
  for (const [kind, of] of [
    ['statement', statement],
    ['outcome', outcome],
    ['data', data],
  ] as const)
    expect(new Set(names(of))).toEqual(new Set(['kind', ...fieldsOf(kind).map(({ name }) => name)]));
});

it('refuses numbers that it could not give back, as the table does', () => {
  for (const of of [-1, 0.5, 2 ** 53, Number.NaN])
    expect(() => written({ kind: 'statement', verb: 'bind', expectsOutcome: false, of })).toThrow(RangeError);
  for (const rowLimit of [0.5, 2 ** 53, Number.NaN])
    expect(() => written({ kind: 'statement', verb: 'execute', expectsOutcome: true, rowLimit })).toThrow(RangeError);
});
