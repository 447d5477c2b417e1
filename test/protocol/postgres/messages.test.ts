import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as m from '../../../src/protocol/postgres/messages.ts';
import { ProtocolError } from '../../../src/shared/errors.ts';
import { answer } from '../../support/backend-messages.ts';

const name = fc.uint8Array({ maxLength: 20 }).map((bytes) => Uint8Array.from(bytes.filter((byte) => byte !== 0)));
const formats = fc.constantFrom<number[]>([], [0], [1]);
const values = fc.array(fc.option(fc.uint8Array({ maxLength: 12 })), { maxLength: 6 });
const oid = fc.nat(0xffffffff);
const bodyOf = (message: Uint8Array): Uint8Array => message.subarray(m.headerBytes);

/** A message: how to make one, how to write it and how to read it. */
const codecs: [string, fc.Arbitrary<Uint8Array>, (body: Uint8Array) => Uint8Array][] = [
  [
    'Query',
    name.map((text) => m.encodeMessage(m.frontendType.query, ...m.cstring(text))),
    (body) => m.encodeMessage(m.frontendType.query, ...m.cstring(m.decodeQuery(body))),
  ],
  [
    'Parse',
    fc.record({ name, text: name, types: fc.array(oid, { maxLength: 5 }) }).map(m.encodeParse),
    (body) => m.encodeParse(m.decodeParse(body)),
  ],
  [
    'Bind',
    fc
      .record({ portal: name, statement: name, formats, values, resultFormats: formats })
      .map(fitting)
      .map(m.encodeBind),
    (body) => m.encodeBind(m.decodeBind(body)),
  ],
  [
    'Execute',
    fc.record({ portal: name, rowLimit: fc.integer() }).map(m.encodeExecute),
    (body) => m.encodeExecute(m.decodeExecute(body)),
  ],
  [
    'Close',
    fc
      .record({ what: fc.constantFrom('statement' as const, 'portal' as const), name })
      .map((target) => m.encodeTarget(m.frontendType.close, target)),
    (body) => m.encodeTarget(m.frontendType.close, m.decodeTarget(body)),
  ],
  [
    'FunctionCall',
    fc
      .record({ functionId: oid, formats, values, resultFormat: fc.nat(1) })
      .map(fitting)
      .map(m.encodeFunctionCall),
    (body) => m.encodeFunctionCall(m.decodeFunctionCall(body)),
  ],
  [
    'CopyFail',
    name.map((text) => m.encodeMessage(m.frontendType.copyFail, ...m.cstring(text))),
    (body) => m.encodeMessage(m.frontendType.copyFail, ...m.cstring(m.decodeCopyFail(body))),
  ],
  [
    'ReadyForQuery',
    fc.constantFrom('I' as const, 'T' as const, 'E' as const).map(m.encodeReadyForQuery),
    (body) => m.encodeReadyForQuery(m.decodeReadyForQuery(body)),
  ],
  [
    'CommandComplete',
    fc.constantFrom('SELECT 1', 'INSERT 0 3', '').map(answer.complete),
    (body) => answer.complete(m.decodeCommandComplete(body)),
  ],
  [
    'ParameterStatus',
    fc.constant(m.encodeParameterStatus('client_encoding', 'UTF8')),
    (body) => {
      const { name: setting, value } = m.decodeParameterStatus(body);
      return m.encodeParameterStatus(setting, value);
    },
  ],
  [
    'ParameterDescription',
    fc.array(fc.nat(0x7fffffff), { maxLength: 9 }).map((types) => answer.parameters(...types)),
    (body) => answer.parameters(...m.decodeParameterDescription(body)),
  ],
  [
    'NotificationResponse',
    fc.constant(answer.notification('orders', 'new')),
    (body) => {
      const { channel, payload } = m.decodeNotification(body);
      return answer.notification(m.textOf(channel), m.textOf(payload));
    },
  ],
  [
    'FunctionCallResponse',
    fc.constantFrom('', 'x').map(answer.functionResult),
    (body) => answer.functionResult(m.textOf(m.decodeFunctionCallResponse(body)!)),
  ],
];

/** One format each is as many as there are values. */
function fitting<T extends { formats: number[]; values: unknown[] }>(message: T): T {
  return message.formats.length === 1 && message.values.length > 1
    ? { ...message, formats: message.values.map((_value, index) => index % 2) }
    : message;
}

describe.each(codecs)('%s', (_name, messages, again) => {
  it('is the same bytes, read and written again', () => {
    fc.assert(
      fc.property(messages, (message) => {
        expect(Buffer.from(again(bodyOf(message)))).toEqual(Buffer.from(message));
      }),
    );
  });

  it('is refused when a byte is missing or too many, never anything else', () => {
    fc.assert(
      fc.property(messages, fc.nat(), (message, cut) => {
        const body = bodyOf(message);
        for (const bad of [body.subarray(0, cut % Math.max(1, body.length)), Buffer.concat([body, Buffer.of(0)])]) {
          if (bad.length === body.length) continue;
          expect(() => again(bad)).toThrow(ProtocolError);
        }
      }),
    );
  });

  it('never throws anything but a ProtocolError for other bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (body) => {
        try {
          again(body);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
    );
  });
});

describe('lengths inside a message', () => {
  const bind = (rest: string) => Buffer.from(`\0\0${rest}`, 'latin1');
  it.each([
    ['a value of length -2', bind('\0\0\0\x01\xff\xff\xff\xfe\0\0')],
    ['a value of 2 GiB', bind('\0\0\0\x01\x7f\xff\xff\xff\0\0')],
    ['65535 values that are not there', bind('\0\0\xff\xff')],
    ['65535 formats that are not there', bind('\xff\xff')],
    ['two formats for one value', bind('\0\x02\0\0\0\0\0\x01\xff\xff\xff\xff\0\0')],
    ['two formats for none', bind('\0\x02\0\0\0\0\0\0\0\0')],
  ])('%s', (_name, body) => expect(() => m.decodeBind(body)).toThrow(ProtocolError));

  it('NULL is not an empty value', () => {
    const { values: read } = m.decodeBind(bind('\0\0\0\x02\xff\xff\xff\xff\0\0\0\0\0\0'));
    expect(read).toEqual([null, Buffer.alloc(0)]);
  });

  it('a format is that of all, or of each, or text', () => {
    expect([m.formatOf([], 3), m.formatOf([1], 3), m.formatOf([0, 1], 1)]).toEqual([0, 1, 1]);
  });

  it('a NULL function result, and a hint', () => {
    expect(m.decodeFunctionCallResponse(Buffer.from([255, 255, 255, 255]))).toBeNull();
    const error = m.encodeErrorResponse({ severity: 'ERROR', code: '26000', message: 'a\0b', hint: 'c' });
    expect(Object.fromEntries(m.decodeFields(bodyOf(error)))).toEqual({
      S: 'ERROR',
      V: 'ERROR',
      C: '26000',
      M: 'ab',
      H: 'c',
    });
  });

  it('COPY formats', () => {
    expect(m.decodeCopyResponse(Buffer.from([1, 0, 2, 0, 1, 0, 0]))).toEqual({ format: 1, columnFormats: [1, 0] });
  });
});
