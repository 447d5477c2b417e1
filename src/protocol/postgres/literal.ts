import type { Token } from './grammar.ts';

/** What a literal says, where that can be followed byte by byte. */
export interface Inner {
  text: Uint8Array;
  /** Offset of a byte of `text` in the literal's own bytes. */
  outer(offset: number): number;
  /** Quotes that stand for one inside of it. */
  quotes: number;
}

const quote = 0x27;

/** `'…'`, `E'…'`, `U&'…'`, `B'…'`, `X'…'`, `$tag$…$tag$`; not a name, not `$1`. */
export const isLiteral = ({ text }: Token): boolean => /^(?:[ebxn]|u&)?'|^\$(?:[^0-9]|\$)/i.test(text);

export const isComment = ({ tokenName }: Token): boolean => tokenName === 'SQL_COMMENT' || tokenName === 'C_COMMENT';

/** Undefined for escapes and continuation lines: then only the whole literal can be withheld. */
export function innerOf(literal: Uint8Array): Inner | undefined {
  if (literal[0] === 0x24) return dollarQuoted(literal);
  return literal[0] === quote ? plain(literal) : undefined;
}

function dollarQuoted(literal: Uint8Array): Inner {
  const tagBytes = literal.indexOf(0x24, 1) + 1;
  return {
    text: literal.subarray(tagBytes, literal.length - tagBytes),
    outer: (offset) => offset + tagBytes,
    quotes: 1,
  };
}

function plain(literal: Uint8Array): Inner | undefined {
  const text = new Uint8Array(literal.length);
  const places = new Uint32Array(literal.length + 1);
  let length = 0;
  for (let at = 1; at < literal.length - 1; at++) {
    places[length] = at;
    text[length++] = literal[at]!;
    if (literal[at] !== quote) continue;
    if (literal[at + 1] !== quote || at + 1 === literal.length - 1) return undefined; // goes on in another line
    at++;
  }
  places[length] = literal.length - 1;
  return { text: text.subarray(0, length), outer: (offset) => places[offset]!, quotes: 2 };
}
