/** What stands for itself in redis-cli without quotes. */
const bare = /^[A-Za-z0-9_.:/@%+=,*?<>~^$()[\]{}!&|;#-]+$/;
const escapes: Readonly<Record<string, string>> = {
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\u0007': '\\a',
  '\b': '\\b',
  '"': '\\"',
  '\\': '\\\\',
};

/** A command as one would type it into redis-cli: quoted as redis-cli quotes, each byte exact. */
export function renderCommand(words: readonly Uint8Array[]): string {
  return words.map(renderWord).join(' ');
}

function renderWord(bytes: Uint8Array): string {
  const text = utf8Of(bytes);
  if (text === undefined) return `"${Array.from(bytes, byteShown).join('')}"`;
  if (bare.test(text)) return text;
  return `"${Array.from(text, characterShown).join('')}"`;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function utf8Of(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Printable characters stand as they are (redis-cli takes UTF-8); what a terminal would act upon or hide does not. */
function characterShown(character: string): string {
  if (/^[\p{C}\p{Zl}\p{Zp}]$/u.test(character) || character in escapes)
    return Array.from(Buffer.from(character), byteShown).join('');
  return character;
}

function byteShown(byte: number): string {
  const character = String.fromCharCode(byte);
  if (character in escapes) return escapes[character]!;
  if (byte >= 0x20 && byte < 0x7f) return character;
  return `\\x${byte.toString(16).padStart(2, '0')}`;
}
