import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { escapeControl, terminalSafeJson } from '../../src/ui/escape-control.ts';

describe('a recording cannot drive the terminal of its reader', () => {
  const cases: [what: string, recorded: string, shown: string][] = [
    ['an escape sequence that clears the screen', '\u001B[2J', '\\e[2J'],
    ['one that sets the window title', '\u001B]0;owned\u0007', '\\e]0;owned\\x07'],
    ['C1 introducers of eight bits', '\u009B31m\u009D', '\\x9B31m\\x9D'],
    ['a carriage return that overwrites the line', 'drop table t\rselect 1    ', 'drop table t\\rselect 1    '],
    ['backspaces', 'drop\b\b\b\bread', 'drop\\b\\b\\b\\bread'],
    ['a right-to-left override', 'a\u202Eb\u2066c', 'a\\u{202E}b\\u{2066}c'],
    ['separators of lines and paragraphs', 'a\u2028b\u2029c\u0085', 'a\\u{2028}b\\u{2029}c\\x85'],
    ['invisible characters', 'a\u200Bb\uFEFFc\u00ADd\u3164', 'a\\u{200B}b\\u{FEFF}c\\xADd\\u{3164}'],
    ['text smuggled in tag characters', 'a\u{E0041}', 'a\\u{E0041}'],
    ['text smuggled in variation selectors', 'a\u{E0101}', 'a\\u{E0101}'],
    ['NUL and DEL', '\0\u007F', '\\0\\x7F'],
    ['a lone surrogate', 'a\uD800b', 'a\\u{D800}b'],
    ['newline and tab outside of multi-line text', 'a\n\tb', 'a\\n\\tb'],
  ];
  it.each(cases)('%s', (_what, recorded, shown) => {
    expect(escapeControl(recorded)).toBe(shown);
  });

  it('multi-line SQL stays readable', () => {
    expect(escapeControl('select *\n\tfrom t -- ü 漢 😀\r\n', { multiline: true })).toBe(
      'select *\n\tfrom t -- ü 漢 😀\\r\n',
    );
  });

  it('whatever was recorded, what is shown holds no character that does something', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        const shown = escapeControl(text, { multiline: true });
        expect(shown.replace(/[\n\t]/g, '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
        // Twice is once: nothing that was made visible turns into something else.
        expect(escapeControl(shown, { multiline: true })).toBe(shown);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('JSON on a terminal', () => {
  it('holds no raw control, and gives back exactly the value', () => {
    const value = { text: '\u009B31m\u007F\u202E\u{E0041}\uD800 ä 😀\n' };
    const json = terminalSafeJson(value, 2);
    expect(json).toBe('{\n  "text": "\\u009B31m\\u007F\\u202E\\uDB40\\uDC41\\ud800 ä 😀\\n"\n}');
    expect(JSON.parse(json)).toEqual(value);
  });
  it('whatever the text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => JSON.parse(terminalSafeJson(text)) === text));
  });
});
