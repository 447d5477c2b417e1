import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { escapeControl } from '../../src/ui/escape-control.ts';

/** What no recorded text may bring to a terminal: C0, DEL, C1, separators, invisible format characters, lone surrogates. */
const drives = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

const fromRecording = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.integer({ min: 0, max: 0x9f }).map((point) => String.fromCharCode(point)) }),
  fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
);

describe('a recording cannot drive the terminal of who reads it', () => {
  test('nothing dangerous is left of any text', () => {
    fc.assert(
      fc.property(fromRecording, (text) => {
        expect(escapeControl(text)).not.toMatch(drives);
      }),
    );
  });

  test('with several lines, line feeds and tabs are left and nothing else', () => {
    fc.assert(
      fc.property(fromRecording, (text) => {
        const shown = escapeControl(text, { multiline: true });
        expect(shown.replace(/[\n\t]/g, '')).not.toMatch(drives);
      }),
    );
  });

  test.each([
    ['a colour', '\u001B[31mred', '\\e[31mred'],
    ['a title of the window', '\u001B]0;owned\u0007', '\\e]0;owned\\x07'],
    ['the same with one C1 character', '\u009B2J', '\\x9B2J'],
    ['an overwritten line', 'drop table orders\rselect 1', 'drop table orders\\rselect 1'],
    ['a rubbed out word', 'drop\b\b\b\b', 'drop\\b\\b\\b\\b'],
    ['text that runs backwards (CVE-2021-42574)', 'a\u202Eb\u2066c', 'a\\u{202E}b\\u{2066}c'],
    ['an invisible space', 'ord\u200Bers', 'ord\\u{200B}ers'],
    ['a separator that some terminals take for a new line', 'a\u2028b', 'a\\u{2028}b'],
    ['a NUL', 'a\0b', 'a\\0b'],
    ['half a character', 'a\uD800b', 'a\\u{D800}b'],
  ])('%s is shown, not obeyed', (_what, text, shown) => {
    expect(escapeControl(text)).toBe(shown);
  });

  test.each(['select * from "Bestellungen – März"', '日本語', 'café', '👍🏽', "'it''s'"])(
    'ordinary text stays as it is: %s',
    (text) => {
      expect(escapeControl(text)).toBe(text);
    },
  );

  test('SQL of several lines stays readable', () => {
    expect(escapeControl('select\n\t1', { multiline: true })).toBe('select\n\t1');
    expect(escapeControl('select\n\t1')).toBe('select\\n\\t1');
  });
});
