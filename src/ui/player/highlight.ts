import type { Statement } from '../../shared/api.ts';
import { displayWidth } from '../display-width.ts';
import { escapeControl } from '../escape-control.ts';

export type Ink = 'plain' | 'keyword' | 'literal' | 'number' | 'comment' | 'parameter';

export interface Span {
  ink: Ink;
  text: string;
}

export const tokens =
  /(?<comment>--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|(?<literal>[EeBbXxNn]?'(?:[^']|'')*'?|\$(?:[A-Za-z_]\w*)?\$[\s\S]*?(?:\$(?:[A-Za-z_]\w*)?\$|$))|(?<name>"[^"]*"?)|\$(?<parameter>\d+)|(?<number>\b\d+(?:\.\d+)?\b)|(?<word>[A-Za-z_]\w*)/g;

export const keywords: ReadonlySet<string> = new Set(
  `add all alter analyze and any as asc begin between by cascade case cast check cluster column commit conflict constraint copy create
  cross current database declare default delete desc distinct do drop else end except execute exists explain false fetch filter for foreign
  from full function grant group having ilike in index inner insert intersect into is join key lateral left like limit listen lock
  materialized merge natural not notify null nulls offset on only or order outer over partition prepare primary references reindex release
  rename reset restrict returning revoke right role rollback row rows savepoint schema select sequence set show similar start stdin stdout
  table temp temporary then to transaction trigger true truncate type union unique update user using vacuum values view when where window
  with work`.split(/\s+/),
);

/** Past it nothing is highlighted: nobody reads it, and a screen is drawn often. */
const charactersMax = 20_000;

/** A statement's text in inks, its parameters in their places. Nothing in it is obeyed. */
export function highlighted({ text, parameters, arguments: words, verb }: Statement, protocol: string): Span[] {
  if (text === null)
    return [
      { ink: 'plain', text: words ? words.map((word) => escapeControl(word)).join(' ') : `(${escapeControl(verb)})` },
    ];
  const cut = text.trimEnd().slice(0, charactersMax);
  const rest = text.trimEnd().length - cut.length;
  const spans = protocol === 'redis' ? redisSpans(cut) : sqlSpans(cut, parameters);
  if (rest > 0)
    spans.push({ ink: 'comment', text: `… ${rest.toLocaleString('en-US')} characters more (--json has them)` });
  return spans;
}

function redisSpans(text: string): Span[] {
  const [, word = '', rest = ''] = /^(\S*)([\s\S]*)$/.exec(text) ?? [];
  return [
    { ink: 'keyword', text: harmless(word) },
    { ink: 'plain', text: harmless(rest) },
  ];
}

function sqlSpans(text: string, parameters: Statement['parameters']): Span[] {
  const spans: Span[] = [];
  let at = 0;
  for (const match of text.matchAll(tokens)) {
    if (match.index > at) spans.push({ ink: 'plain', text: harmless(text.slice(at, match.index)) });
    spans.push(spanOf(match, parameters));
    at = match.index + match[0].length;
  }
  if (at < text.length) spans.push({ ink: 'plain', text: harmless(text.slice(at)) });
  return spans;
}

function spanOf({ 0: text, groups = {} }: RegExpExecArray, parameters: Statement['parameters']): Span {
  const { comment, literal, parameter, number, word } = groups;
  if (comment !== undefined) return { ink: 'comment', text: harmless(text) };
  if (literal !== undefined) return { ink: 'literal', text: harmless(text) };
  if (parameter !== undefined) {
    const value = parameters[Number(parameter) - 1];
    if (value) return { ink: 'parameter', text: value.base64 === null ? 'NULL' : escapeControl(value.shown) };
  }
  if (number !== undefined) return { ink: 'number', text };
  if (word !== undefined && keywords.has(word.toLowerCase())) return { ink: 'keyword', text };
  return { ink: 'plain', text: harmless(text) };
}

const harmless = (text: string): string => escapeControl(text, { multiline: true }).replaceAll('\t', '    ');

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** Lines no wider than the screen. Long words are cut: what is too wide is still to be read. */
export function wrapped(spans: readonly Span[], width: number): Span[][] {
  const lines: Span[][] = [[]];
  let used = 0;
  for (const { ink, text } of spans) {
    for (const [index, part] of text.split('\n').entries()) {
      if (index > 0) {
        lines.push([]);
        used = 0;
      }
      for (const piece of pieces(part, width - used, width)) {
        if (piece.isNewLine) {
          lines.push([]);
          used = 0;
        }
        if (piece.text !== '') lines.at(-1)?.push({ ink, text: piece.text });
        used += displayWidth(piece.text);
      }
    }
  }
  return lines;
}

function pieces(text: string, room: number, width: number): { text: string; isNewLine: boolean }[] {
  const found = [{ text: '', isNewLine: false }];
  let left = room;
  for (const { segment } of graphemes.segment(text)) {
    const columns = displayWidth(segment);
    if (columns > left) {
      found.push({ text: '', isNewLine: true });
      left = width;
    }
    found.at(-1)!.text += segment;
    left -= columns;
  }
  return found;
}
