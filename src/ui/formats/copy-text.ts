import { frontendType, headerBytes } from '../../protocol/postgres/messages.ts';
import { Splitter, wholeMessages } from '../../protocol/postgres/splitter.ts';
import { limits } from '../../shared/limits.ts';
import { escapeControl } from '../escape-control.ts';
import { CsvReader } from './copy-csv.ts';
import type { DataSpool } from './script-items.ts';

/** COPY data as it stands in a script behind its statement, its end included; `options`: what then goes behind FROM STDIN. */
type CopyText = { lines: AsyncIterable<string>; options: string | undefined } | { why: string };

const csvOptions =
  /^\s*(?:with\s*)?(?:\(\s*format\s+csv\s*(,\s*header\s*(?:true|on)?\s*)?\)|csv(\s+header)?)\s*;?\s*$/i;

/**
 * Always in the text format: it has an escape for every byte that is not to be obeyed, and all versions of psql and servers agree on its end.
 * The binary format cannot stand in a script. Read twice: a part of a table is never written.
 */
export async function copyText(sql: string, data: DataSpool): Promise<CopyText> {
  const options = sql.replace(/^[\s\S]*\bfrom\b[\s\S]*?\bstdin\b/i, '');
  if (/\bbinary\b/i.test(options) || /^\s*copy\s+binary\b/i.test(sql))
    return { why: 'its data is in the binary format' };
  const csv = csvOptions.exec(options);
  if (/\bcsv\b/i.test(options) && !csv) return { why: 'its CSV has options that are not known here' };
  // A delimiter of one's own may be what would be escaped.
  const isOwn = /\b(delimiters?|null)\b/i.test(options);
  const read = csv
    ? () => fromCsv(textOf(data.read()), Boolean(csv[1] ?? csv[2]))
    : () => fromText(linesOf(textOf(data.read())), isOwn);
  for await (const line of read()) if (line === undefined) return { why: 'its data has what a script cannot say' };
  const lines = async function* (): AsyncGenerator<string> {
    for await (const line of read()) yield `${line}\n`;
    yield '\\.\n';
  };
  return { lines: lines(), options: csv ? '' : undefined };
}

async function* fromCsv(
  pieces: AsyncIterable<string | undefined>,
  hasHeader: boolean,
): AsyncGenerator<string | undefined, void> {
  const reader = new CsvReader();
  let seen = 0;
  const shown = (fields: (string | null)[]) =>
    fields.map((field) => (field === null ? '\\N' : escaped(field))).join('\t');
  for await (const piece of pieces) {
    if (piece === undefined) return yield undefined;
    for (const record of reader.push(piece)) if (seen++ > 0 || !hasHeader) yield shown(record);
  }
  for (const record of reader.end()) if (seen++ > 0 || !hasHeader) yield shown(record);
}

const own: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

const escaped = (field: string): string =>
  Array.from(field, (character) => own[character] ?? harmless(character)).join('');

async function* fromText(
  lines: AsyncIterable<string | undefined>,
  isOwn: boolean,
): AsyncGenerator<string | undefined, void> {
  for await (const line of lines) {
    const text = line?.replace(/\r$/, '');
    // What stands behind a backslash is part of an escape already.
    if (text === undefined || text === '\\.' || /\\$|\\[\p{Cc}\p{Cf}]/u.test(text)) return yield undefined;
    const shown = Array.from(text, (character) => (character === '\t' ? character : harmless(character))).join('');
    yield isOwn && shown !== text ? undefined : shown;
  }
}

/** By the bytes of UTF-8, as COPY's escapes have it. */
function harmless(character: string): string {
  if (escapeControl(character) === character) return character;
  return Array.from(Buffer.from(character), (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
}

/** Undefined, once, for what is not UTF-8. Messages may be cut anywhere. */
async function* textOf(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<string | undefined> {
  const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let found = '';
  const message = (type: number, bytes: Uint8Array) => {
    if (type === frontendType.copyData) found += utf8.decode(bytes.subarray(headerBytes), { stream: true });
  };
  const splitter = new Splitter(wholeMessages(message), limits.messageBytesMax);
  try {
    for await (const piece of pieces) {
      splitter.push(piece);
      yield found;
      found = '';
    }
    yield utf8.decode();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    yield undefined;
  }
}

async function* linesOf(pieces: AsyncIterable<string | undefined>): AsyncGenerator<string | undefined> {
  let rest = '';
  for await (const piece of pieces) {
    if (piece === undefined) return yield undefined;
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}
