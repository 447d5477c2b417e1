import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeMessage } from '../../../src/protocol/postgres/messages.ts';
import { Splitter } from '../../../src/protocol/postgres/splitter.ts';
import { byteByByte, randomCuts, whole } from '../../support/wire.ts';

const row = 'D'.charCodeAt(0);

/** What a splitter gave: whole messages, and streamed ones put together again. */
function split(bytes: Uint8Array, cut = whole, bytesMax = 100): string[] {
  const found: string[] = [];
  let streamed = '';
  const splitter = new Splitter(
    {
      streams: (type) => type === row,
      message: (type, message) => {
        expect(message[0]).toBe(type);
        found.push(Buffer.from(message).toString('latin1'));
      },
      piece: (_type, piece, last) => {
        streamed += Buffer.from(piece).toString('latin1');
        if (!last) return;
        found.push(`streamed ${streamed}`);
        streamed = '';
      },
    },
    bytesMax,
  );
  for (const chunk of cut(bytes)) splitter.push(chunk);
  expect(splitter.isBetween).toBe(true);
  expect(splitter.heldBytes).toBe(0);
  return found;
}

describe('a splitter', () => {
  it('finds the same messages however the bytes were cut', () => {
    const message = fc
      .tuple(fc.constantFrom('Q', 'S', 'D'), fc.uint8Array({ maxLength: 80 }))
      .map(([type, body]) => encodeMessage(type.charCodeAt(0), body));
    fc.assert(
      fc.property(fc.array(message, { maxLength: 8 }), fc.nat(), (messages, seed) => {
        const bytes = Buffer.concat(messages);
        const expected = messages.map((one) => {
          const text = Buffer.from(one).toString('latin1');
          return one[0] === row ? `streamed ${text}` : text;
        });
        expect(split(bytes)).toEqual(expected);
        expect(split(bytes, byteByByte)).toEqual(expected);
        expect(split(bytes, randomCuts(seed))).toEqual(expected);
      }),
    );
  });

  it('bounds what it holds, not what streams through it', () => {
    const message = encodeMessage(0x51, Buffer.alloc(96));
    for (const cut of [whole, byteByByte]) {
      expect(() => split(message, cut)).toThrow('a message of 101 bytes; this gateway takes at most 100');
      expect(split(message.subarray(0), cut, 101)).toHaveLength(1);
      expect(split(encodeMessage(row, Buffer.alloc(5000)), cut)).toHaveLength(1);
    }
  });

  it('does not keep a large chunk alive for a few bytes, nor believe memory that is used again', () => {
    const found: string[] = [];
    const target = {
      streams: () => false,
      message: (_type: number, message: Uint8Array) => found.push(Buffer.from(message).toString('latin1')),
      piece: () => undefined,
    };
    const splitter = new Splitter(target, 100);
    const memory = Buffer.from(encodeMessage(0x51, Buffer.from('harmless\0')));
    splitter.push(memory.subarray(0, 10));
    const tail = Buffer.from(memory.subarray(10));
    memory.fill(0x21);
    expect(splitter).toMatchObject({ isBetween: false, heldBytes: 10, isStreaming: false });
    splitter.push(tail);
    expect(found[0]).toContain('harmless');
  });
});
