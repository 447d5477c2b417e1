/**
 * RESP, the Redis serialization protocol, versions 2 and 3: https://redis.io/docs/latest/develop/reference/protocol-spec/
 *
 * A client sends arrays of bulk strings and nothing else: `*<count>\r\n`, then `$<length>\r\n<bytes>\r\n` for each argument. Counts and
 * lengths are written in one way only (no sign, no leading zero), so that what was decoded, encoded again, is the same bytes.
 */

const crlf = Buffer.from('\r\n');

export const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'utf8');
/** One character a byte: for protocol words and for comparing, never for what a person reads. */
export const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
export const textOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');

/** A command as a client sends it. */
export function encodeCommand(words: readonly (Uint8Array | string)[]): Uint8Array {
  const parts: Uint8Array[] = [Buffer.from(`*${words.length}\r\n`)];
  for (const word of words) {
    const bytes = typeof word === 'string' ? bytesOf(word) : word;
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, crlf);
  }
  return Buffer.concat(parts);
}

export const encodeSimple = (text: string): Uint8Array => bytesOf(`+${text}\r\n`);

/** An error is one line: `-CODE message`. */
export const encodeError = (code: string, message: string): Uint8Array =>
  bytesOf(`-${code} ${message.replaceAll(/[\r\n]+/g, ' ')}\r\n`);

const digitsMax = 15; // below 2^53

/** An unsigned decimal number in its only form; undefined for anything else. */
export function parseUnsigned(bytes: Uint8Array): number | undefined {
  const isLong = bytes.length === 0 || bytes.length > digitsMax;
  if (isLong || (bytes[0] === 0x30 && bytes.length > 1)) return undefined;
  let value = 0;
  for (const byte of bytes) {
    if (byte < 0x30 || byte > 0x39) return undefined;
    value = value * 10 + (byte - 0x30);
  }
  return value;
}

/** The code that an error begins with, and the words behind it. */
export function splitError(line: Uint8Array): { code: string; message: string } {
  const text = textOf(line);
  const space = text.indexOf(' ');
  if (space <= 0) return { code: text || 'ERR', message: '' };
  return { code: text.slice(0, space), message: text.slice(space + 1) };
}
