import { limits } from '../../shared/limits.ts';
import { frontendType, headerBytes } from '../../protocol/postgres/messages.ts';
import { Splitter } from '../../protocol/postgres/splitter.ts';
import { escapeControl } from '../escape-control.ts';
import type { DataSpool } from './script-items.ts';

/** COPY data as it stands in a script behind its statement, its end included. */
type CopyText = { lines: AsyncIterable<string> } | { why: string };

/** Lines longer than that are none that a person wrote. */
const lineBytesMax = limits.messageBytesMax;

/**
 * In the text format every byte that is not to be obeyed has an escape of its own; in CSV there is none, so that such data is left out,
 * as is the binary format, which psql cannot take from a script. Read twice: a part of a table is never written.
 */
export async function copyText(sql: string, data: DataSpool): Promise<CopyText> {
  const options = sql.replace(/^[\s\S]*\bfrom\b[\s\S]*?\bstdin\b/i, '');
  if (/\bbinary\b/i.test(options) || /^\s*copy\s+binary\b/i.test(sql))
    return { why: 'its data is in the binary format' };
  // A delimiter of one's own may be what would be escaped.
  const reads = /\b(csv|delimiters?|null)\b/i.test(options) ? readAsIs : readTextLine;
  for await (const line of linesOf(data.read()))
    if (reads(line) === undefined) return { why: 'its data has what a script cannot say' };
  const lines = async function* (): AsyncGenerator<string> {
    for await (const line of linesOf(data.read())) yield `${reads(line)}\n`;
    yield '\\.\n';
  };
  return { lines: lines() };
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Of a line without its end. */
function readTextLine(bytes: Uint8Array): string | undefined {
  const text = decoded(bytes)?.replace(/\r$/, '');
  if (text === undefined || text === '\\.') return undefined;
  // What stands behind a backslash is part of an escape already.
  if (/\\$|\\[\p{Cc}\p{Cf}]/u.test(text)) return undefined;
  return Array.from(text, (character) => {
    if (character === '\t' || escapeControl(character) === character) return character;
    return Array.from(Buffer.from(character), (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
  }).join('');
}

function readAsIs(bytes: Uint8Array): string | undefined {
  const text = decoded(bytes);
  return text === undefined || text === '\\.' || escapeControl(text, { multiline: true }) !== text ? undefined : text;
}

function decoded(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Lines of the CopyData messages, which may be cut anywhere. */
async function* linesOf(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest: Buffer = Buffer.alloc(0);
  let found: Uint8Array[] = [];
  const message = (type: number, bytes: Uint8Array) => {
    if (type === frontendType.copyData) found.push(Uint8Array.from(bytes.subarray(headerBytes)));
  };
  const splitter = new Splitter({ streams: () => false, piece: () => undefined, message }, lineBytesMax);
  for await (const piece of pieces) {
    splitter.push(piece);
    const bytes = Buffer.concat([rest, ...found]);
    found = [];
    let from = 0;
    for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, from)) {
      yield bytes.subarray(from, end);
      from = end + 1;
    }
    rest = Buffer.from(bytes.subarray(from));
  }
  if (rest.length > 0) yield rest;
}
