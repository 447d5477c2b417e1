/**
 * Characters by which recorded text could drive or deceive the reader's terminal: C0 and C1 controls, DEL, line and paragraph
 * separators, marks that change the direction of writing (CVE-2021-42574), everything invisible (format and variation characters, in
 * which text can be smuggled), lone surrogates, and what has no agreed shape.
 */
export const dangerous = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}\p{Default_Ignorable_Code_Point}]/gu;

const short: Record<string, string> = {
  '\0': '\\0',
  '\b': '\\b',
  '\f': '\\f',
  '\r': '\\r',
  '\v': '\\v',
  '\u001B': '\\e',
};

export interface EscapeOptions {
  /** Keep \n and \t as they are, for text of several lines. */
  multiline?: boolean;
}

/** Makes visible what is not to be obeyed. Everything that came from a recording or from another program goes through here. */
export function escapeControl(text: string, { multiline = false }: EscapeOptions = {}): string {
  return text.replace(dangerous, (character) => {
    if (character === '\n') return multiline ? '\n' : '\\n';
    if (character === '\t') return multiline ? '\t' : '\\t';
    const point = character.codePointAt(0) ?? 0;
    return short[character] ?? (point < 0x100 ? `\\x${hex(point, 2)}` : `\\u{${hex(point, 4)}}`);
  });
}

/**
 * JSON in which nothing can drive a terminal either: JSON.stringify leaves C1 controls (one of them begins escape sequences), DEL and
 * marks of direction as they are. A reader of the JSON gets exactly the same value.
 */
export function terminalSafeJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(dangerous, (character) => {
    if (character === '\n') return character; // between the parts, where it was asked for; inside strings it is escaped already
    return Array.from({ length: character.length }, (_, at) => `\\u${hex(character.charCodeAt(at), 4)}`).join('');
  });
}

const hex = (point: number, digits: number): string => point.toString(16).toUpperCase().padStart(digits, '0');
