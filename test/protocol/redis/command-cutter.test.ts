import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CommandCutter } from '../../../src/protocol/redis/command-cutter.ts';
import { encodeCommand, latin1 } from '../../../src/protocol/redis/messages.ts';

const bytesMax = 4096;

/** Commands of the pieces, and the fault that ended them. */
function cut(pieces: Uint8Array[]) {
  const cutter = new CommandCutter(bytesMax);
  const commands: string[][] = [];
  let bytes = '';
  try {
    for (const piece of pieces) {
      cutter.push(piece);
      for (let command = cutter.next(); command; command = cutter.next()) {
        commands.push(command.words.map(latin1));
        bytes += latin1(command.bytes);
      }
    }
  } catch (error) {
    return { commands, bytes, fault: (error as { reason: string }).reason };
  }
  return { commands, bytes, fault: undefined, rest: latin1(cutter.rest), held: cutter.heldBytes };
}

const each = (bytes: Uint8Array) => Array.from(bytes, (byte) => Uint8Array.of(byte));
const words = fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 6 });

describe('what a client sends', () => {
  test('any commands, cut anywhere: the same words, and the same bytes as were sent', () => {
    fc.assert(
      fc.property(
        fc.array(words, { minLength: 1, maxLength: 5 }),
        fc.array(fc.nat(), { maxLength: 9 }),
        (commands, at) => {
          const whole = Buffer.concat(commands.map(encodeCommand));
          const places = [...new Set(at.map((place) => place % whole.length))].toSorted((a, b) => a - b);
          const pieces = [0, ...places].map((from, index) => whole.subarray(from, places[index]));
          const expected = { commands: commands.map((command) => command.map(latin1)), bytes: latin1(whole) };
          expect(cut([whole])).toMatchObject({ ...expected, rest: '', held: 0 });
          expect(cut(each(whole))).toMatchObject({ ...expected, rest: '', held: 0 });
          expect(cut(pieces)).toMatchObject({ ...expected, rest: '', held: 0 });
        },
      ),
    );
  });

  test.each([
    ['PING\r\n', 'inline-command'],
    ['GET / HTTP/1.1\r\n', 'inline-command'],
    ['\r\n', 'inline-command'],
    ['*0\r\n', 'bad-message'],
    ['*-1\r\n', 'bad-length'],
    ['*+1\r\n$4\r\nPING\r\n', 'bad-length'],
    ['*01\r\n$4\r\nPING\r\n', 'bad-length'],
    ['* 1\r\n$4\r\nPING\r\n', 'bad-length'],
    ['*\r\n', 'bad-length'],
    ['*1\n$4\nPING\n', 'bad-length'],
    ['*1\rX$4\r\nPING\r\n', 'bad-line-end'],
    ['*1\r\n$4\r\nPING\rX', 'bad-line-end'],
    ['*1\r\n$4\r\nPINGX\r\n', 'bad-line-end'],
    ['*1\r\n$4\rXPING\r\n', 'bad-line-end'],
    ['*1\r\n$-1\r\n', 'bad-length'],
    ['*1\r\n$04\r\nPING\r\n', 'bad-length'],
    ['*1\r\n$4294967300\r\nPING\r\n', 'message-too-long'],
    ['*1\r\n$99999999999999999999\r\n', 'bad-length'],
    ['*1\r\n$999999999999999\r\n', 'message-too-long'],
    ['*1048577\r\n', 'message-too-long'],
    ['*683\r\n', 'message-too-long'],
    ['*1\r\n$4087\r\n', 'message-too-long'],
    ['*1\r\n+PING\r\n', 'bad-message'],
    ['*1\r\n*1\r\n$4\r\nPING\r\n', 'bad-message'],
  ])('%j is refused: %s', (text, fault) => {
    const bytes = Buffer.from(text);
    expect(cut([bytes])).toEqual({ commands: [], bytes: '', fault });
    expect(cut(each(bytes))).toEqual({ commands: [], bytes: '', fault });
  });

  test('the longest that fits, and what came before a fault', () => {
    const longest = encodeCommand(['SET', 'k', Buffer.alloc(bytesMax - 29, 'x')]);
    expect(longest.length).toBe(bytesMax);
    expect(cut([longest])).toMatchObject({ fault: undefined });
    const longer = encodeCommand(['SET', 'k', Buffer.alloc(bytesMax - 28, 'x')]);
    const { commands, fault } = cut([Buffer.concat([encodeCommand(['PING']), longer])]);
    expect([commands, fault]).toEqual([[['PING']], 'message-too-long']);
  });

  test('what is incomplete is held, and no more', () => {
    const { held, rest } = cut([Buffer.from('*2\r\n$3\r\nGET\r\n$9\r\nab')]);
    expect([held, rest]).toEqual([19, '*2\r\n$3\r\nGET\r\n$9\r\nab']);
  });
});
