import { expect, test } from 'vitest';
import { renderCommand } from '../../../src/protocol/redis/render.ts';

const shown = (...words: (string | number[])[]) => renderCommand(words.map((word) => Buffer.from(word as string)));

test.each([
  [['SET', 'user:1', 'x'], 'SET user:1 x'],
  [['SET', 'k', ''], 'SET k ""'],
  [['SET', 'k', 'two words'], 'SET k "two words"'],
  [['SET', 'k', 'a"b\\c'], 'SET k "a\\"b\\\\c"'],
  [['SET', 'k', "it's"], 'SET k "it\'s"'],
  [['SET', 'k', 'line\r\nline\t\u0007\b'], 'SET k "line\\r\\nline\\t\\a\\b"'],
  [['SET', 'k', 'grün'], 'SET k "grün"'],
  [['SET', 'k', '\u001b[2J'], 'SET k "\\x1b[2J"'],
  [['SET', 'k', '\u202eevil'], 'SET k "\\xe2\\x80\\xaeevil"'],
  [['SET', 'k', [0xff, 0x00, 0x41, 0x22]], 'SET k "\\xff\\x00A\\""'],
] as [(string | number[])[], string][])('%j is shown as redis-cli takes it', (words, line) => {
  expect(shown(...words)).toBe(line);
});
