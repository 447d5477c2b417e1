import { decodeCommandComplete } from './messages.ts';

/** What CommandComplete says. */
export interface CommandTag {
  text: string;
  /** The count that most tags end with. */
  rows: number | undefined;
}

/** Most tags come again and again (`SELECT 1`): those of short bodies that came last, each in a place that its last bytes choose. */
const tagsMax = 64;
const tagBytesMax = 24;
const known: ({ body: Uint8Array; tag: CommandTag } | undefined)[] = Array.from({ length: tagsMax }, () => undefined);

/** The body of a CommandComplete. Throws ProtocolError. */
export function commandTagOf(bytes: Uint8Array, start: number, end: number): CommandTag {
  const length = end - start;
  if (length < 2 || length > tagBytesMax) return readTag(bytes, start, end);
  const place = (bytes[end - 2]! * 31 + bytes[start]! * 7 + length) % tagsMax;
  const there = known[place];
  if (there !== undefined && isSame(there.body, bytes, start, length)) return there.tag;
  const tag = readTag(bytes, start, end);
  known[place] = { body: Uint8Array.prototype.slice.call(bytes, start, end), tag };
  return tag;
}

function isSame(body: Uint8Array, bytes: Uint8Array, start: number, length: number): boolean {
  if (body.length !== length) return false;
  for (let index = 0; index < length; index++) if (body[index] !== bytes[start + index]) return false;
  return true;
}

function readTag(bytes: Uint8Array, start: number, end: number): CommandTag {
  const text = decodeCommandComplete(bytes, start, end);
  const count = / (\d+)$/.exec(text)?.[1];
  return { text, rows: count === undefined ? undefined : Number(count) };
}
