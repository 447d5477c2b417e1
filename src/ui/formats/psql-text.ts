/**
 * Recorded text in a script for psql. psql reads backslashes outside of quotes as its own commands (`\\! rm -rf ~` among them) and
 * replaces `:name`; so a text stands in a script as it is only where it has no backslash at all and ends what it begins, as psql's own
 * scanner sees it (PostgreSQL's src/fe_utils/psqlscan.l). Everything else goes into a literal.
 */
import { escapeControl } from '../escape-control.ts';

/** The statements of a text that can stand in a script as they are; undefined where they cannot. */
export function plainStatements(text: string): string[] | undefined {
  if (text.includes('\\') || escapeControl(text, { multiline: true }) !== text) return undefined;
  const scan = new Scan(text);
  return scan.run() ? scan.statements : undefined;
}

/** What the scanner takes for space; a no-break space is a letter to it. */
const space = /[ \t\n\r\f\v]/;
const spaceAround = /^[ \t\n\r\f\v]+|[ \t\n\r\f\v]+$/g;
const word = /[A-Za-z0-9_$\u0080-\u{10FFFF}]*/uy;
const dollarTag = /\$(?:[A-Za-z_\u0080-\u{10FFFF}][A-Za-z0-9_\u0080-\u{10FFFF}]*)?\$/uy;
const parameter = /\$\d+/y;
const isWordStart = (character: string): boolean => /[A-Za-z_\u0080-\u{10FFFF}]/u.test(character);

/** One pass over a text without backslashes: then all kinds of string literals end at their quote. */
class Scan {
  readonly statements: string[] = [];
  readonly #text: string;
  #at = 0;
  #from = 0;
  #depth = 0;
  /** Does the statement have anything but space and comments? */
  #hasWords = false;
  #endsInComment = false;
  #words: string[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  /** False where the text leaves something open, or something that psql would read in another way. */
  run(): boolean {
    while (this.#at < this.#text.length) if (!this.#step()) return false;
    this.#end();
    return this.#depth === 0;
  }

  #step(): boolean {
    const rest = this.#text.slice(this.#at, this.#at + 2);
    const [first = ''] = rest;
    if (rest === '--') return this.#lineComment();
    if (rest === '/*') return this.#blockComment();
    if (space.test(first)) return this.#advance(1);
    if (first === ';' && this.#depth === 0) return this.#semicolon();
    this.#hasWords = true;
    this.#endsInComment = false;
    if (first === "'" || first === '"') return this.#quoted(first);
    if (first === '$') return this.#dollar();
    if (first === ':') return this.#colon();
    if (first === '(') this.#depth++;
    if (first === ')' && this.#depth-- === 0) return false;
    return isWordStart(first) || /\d/.test(first) ? this.#word() : this.#advance(1);
  }

  #advance(characters: number): true {
    this.#at += characters;
    return true;
  }

  /** To behind `end`; false where it never comes. */
  #past(end: string, from: number): boolean {
    const found = this.#text.indexOf(end, from);
    this.#at = found + end.length;
    return found >= 0;
  }

  /** A doubled quote is the end of one literal and the beginning of another: the same place. */
  #quoted = (quote: string): boolean => this.#past(quote, this.#at + 1);

  #dollar(): boolean {
    dollarTag.lastIndex = this.#at;
    const [tag] = dollarTag.exec(this.#text) ?? [];
    if (tag !== undefined) return this.#past(tag, this.#at + tag.length);
    parameter.lastIndex = this.#at;
    const [number] = parameter.exec(this.#text) ?? [];
    // `$1$tag$`: scanners have not always agreed.
    return number !== undefined && this.#text[this.#at + number.length] !== '$' && this.#advance(number.length);
  }

  #word(): boolean {
    word.lastIndex = this.#at;
    const [text = ''] = word.exec(this.#text) ?? [];
    if (/^\d.*\$/.test(text)) return false;
    if (this.#words.length < 8) this.#words.push(text.toLowerCase());
    // psql counts BEGIN … END inside of CREATE FUNCTION, so that its semicolons do not end it.
    if (text.toLowerCase() === 'begin' && this.#words[0] === 'create') return false;
    return this.#advance(Math.max(1, text.length));
  }

  /** `::` and `:=` are operators; `:name`, `:'name'`, `:"name"`, `:{?name}` are psql's variables. */
  #colon(): boolean {
    const next = this.#text[this.#at + 1] ?? '';
    if (next === ':' || next === '=') return this.#advance(2);
    return !/[A-Za-z0-9_'"{\u0080-\u{10FFFF}]/u.test(next) && this.#advance(1);
  }

  #lineComment(): boolean {
    const end = this.#text.indexOf('\n', this.#at);
    this.#endsInComment = end < 0;
    this.#at = end < 0 ? this.#text.length : end + 1;
    return true;
  }

  #blockComment(): boolean {
    const marks = /\/\*|\*\//g;
    marks.lastIndex = this.#at;
    let depth = 0;
    for (let mark = marks.exec(this.#text); mark; mark = marks.exec(this.#text)) {
      depth += mark[0] === '/*' ? 1 : -1;
      if (depth > 0) continue;
      this.#at = marks.lastIndex;
      return true;
    }
    return false;
  }

  #semicolon(): boolean {
    this.#end();
    this.#at++;
    this.#from = this.#at;
    return true;
  }

  #end(): void {
    const text = this.#text.slice(this.#from, this.#at).replace(spaceAround, '');
    if (this.#hasWords) this.statements.push(this.#endsInComment ? `${text}\n` : text);
    this.#hasWords = false;
    this.#endsInComment = false;
    this.#words = [];
  }
}

/** A literal that says the same under any setting of standard_conforming_strings, in characters that no terminal obeys. */
export function sqlLiteral(text: string): string {
  const quoted = text.replaceAll("'", "''");
  if (!quoted.includes('\\') && escapeControl(quoted, { multiline: true }) === quoted) return `'${quoted}'`;
  return `E'${Array.from(quoted.replaceAll('\\', '\\\\'), escaped).join('')}'`;
}

function escaped(character: string): string {
  if (character === '\n' || character === '\t' || escapeControl(character) === character) return character;
  if (character === '\\') return character;
  const point = character.codePointAt(0) ?? 0;
  return point > 0xffff ? `\\U${hex(point, 8)}` : `\\u${hex(point, 4)}`;
}

const hex = (point: number, digits: number): string => point.toString(16).toUpperCase().padStart(digits, '0');

/** One line, whatever stands in it. */
export const sqlComment = (text: string): string => `-- ${escapeControl(text)}`;
