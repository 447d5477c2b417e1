import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeMessage } from '../../../src/protocol/postgres/messages.ts';
import { Splitter, wholeMessages, type SplitterTarget } from '../../../src/protocol/postgres/splitter.ts';
import { byteByByte, randomCuts, whole } from '../../support/wire.ts';

const row = 'D'.charCodeAt(0);
const data = 'd'.charCodeAt(0);
const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

/** By the length that each says, without a check. */
function messagesOf(bytes: Uint8Array): Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 1 + Buffer.from(bytes).readUInt32BE(at + 1);
    messages.push(bytes.subarray(at, end));
    at = end;
  }
  return messages;
}

/** What a splitter gave: whole messages, and streamed ones put together again. */
function split(bytes: Uint8Array, cut = whole, bytesMax = 100): string[] {
  const found: string[] = [];
  let streamed = Buffer.alloc(0);
  let begunOfRun = 0;
  const splitter = new Splitter(
    {
      passage: (type) => (type === row ? 'stream' : type === data ? 'run' : 'whole'),
      message: (type, memory, start, end) => {
        expect(memory[start]).toBe(type);
        for (const message of messagesOf(memory.subarray(start, end))) found.push(latin1(message));
        if (type !== data) expect(messagesOf(memory.subarray(start, end))).toHaveLength(1);
      },
      piece: (memory, start, end, isLast, begun) => {
        streamed = Buffer.concat([streamed, memory.subarray(start, end)]);
        begunOfRun += begun;
        if (!isLast) return;
        const messages = messagesOf(streamed);
        expect(begunOfRun).toBe(messages.length);
        for (const message of messages) found.push(`streamed ${latin1(message)}`);
        streamed = Buffer.alloc(0);
        begunOfRun = 0;
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
      .tuple(fc.constantFrom('Q', 'S', 'D', 'd'), fc.uint8Array({ maxLength: 80 }))
      .map(([type, body]) => encodeMessage(type.charCodeAt(0), body));
    fc.assert(
      fc.property(fc.array(message, { maxLength: 12 }), fc.nat(), (messages, seed) => {
        const bytes = Buffer.concat(messages);
        const expected = messages.map((one) => {
          return one[0] === row ? `streamed ${latin1(one)}` : latin1(one);
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

  it.each([
    ['that streams', row],
    ['whose messages are handed over together', data],
  ])('a run %s ends before what is not good, which is then refused', (_how, type) => {
    const good = [encodeMessage(type, Buffer.alloc(3)), encodeMessage(type)];
    const bad = { 'a message of length 3': [0, 0, 0, 3], 'a negative length': [0x80, 0, 0, 4] };
    for (const [what, length] of Object.entries(bad)) {
      const handed: number[] = [];
      const target: SplitterTarget = {
        passage: () => (type === row ? 'stream' : 'run'),
        message: (_type, _bytes, start, end) => handed.push(start, end),
        piece: (_bytes, start, end, isLast, begun) => handed.push(start, end, Number(isLast), begun),
      };
      const chunk = Buffer.concat([...good, Uint8Array.of(type, ...length)]);
      expect(() => new Splitter(target, 100).push(chunk)).toThrow(what);
      expect(handed).toEqual(type === row ? [0, 13, 1, 2] : [0, 13]);
    }
  });

  it('a run that is held together has the bound of each message', () => {
    const handed: number[] = [];
    const target: SplitterTarget = {
      passage: () => 'run',
      message: (_type, _bytes, start, end) => handed.push(start, end),
      piece: () => undefined,
    };
    const chunk = Buffer.concat([encodeMessage(data, Buffer.alloc(95)), encodeMessage(data, Buffer.alloc(96))]);
    expect(() => new Splitter(target, 100).push(chunk)).toThrow('a message of 101 bytes');
    expect(handed).toEqual([0, 100]);
  });

  it('does not keep a large chunk alive for a few bytes, nor believe memory that is used again', () => {
    const found: string[] = [];
    const splitter = new Splitter(
      wholeMessages((_type, message) => found.push(latin1(message))),
      100,
    );
    const memory = Buffer.from(encodeMessage(0x51, Buffer.from('harmless\0')));
    splitter.push(memory.subarray(0, 10));
    const tail = Buffer.from(memory.subarray(10));
    memory.fill(0x21);
    expect(splitter).toMatchObject({ isBetween: false, heldBytes: 10, isStreaming: false });
    splitter.push(tail);
    expect(found[0]).toContain('harmless');
  });
});
