import type { Parameter } from '../protocol/event.ts';

/** Value types of fields; all integers big-endian, all lengths and counts u32. docs/recording-format.md describes each. */
export type FieldType =
  | 'utf8'
  | 'bytes'
  | 'bool'
  | 'u64'
  | 'i64'
  | 'i64-list'
  | 'bytes-list'
  | 'utf8-list'
  | 'utf8-map'
  | 'parameters';

export interface FieldCodec<Value> {
  bytes(value: Value): number;
  /** Writes at `at`, returns the end. */
  write(value: Value, to: Buffer, at: number): number;
  /** The whole buffer is the value; throws RangeError when it is not exactly one. The result may share its memory. */
  read(from: Buffer): Value;
}

const two32 = 0x1_0000_0000;

export function writeU16(value: number, to: Uint8Array, at: number): number {
  to[at] = value >>> 8;
  to[at + 1] = value;
  return at + 2;
}

/** The lowest 32 bits. */
export function writeU32(value: number, to: Uint8Array, at: number): number {
  to[at] = value >>> 24;
  to[at + 1] = value >>> 16;
  to[at + 2] = value >>> 8;
  to[at + 3] = value;
  return at + 4;
}

export function writeU64(value: number, to: Uint8Array, at: number): number {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is not an unsigned integer below 2^53`);
  return writeU32(value, to, writeU32(Math.floor(value / two32), to, at));
}

/** Two's complement. */
function writeI64(value: number, to: Uint8Array, at: number): number {
  if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not an integer between -2^53 and 2^53`);
  return writeU32(value, to, writeU32(Math.floor(value / two32), to, at));
}

const readU32 = (from: Uint8Array, at: number): number =>
  from[at]! * 0x1000000 + ((from[at + 1]! << 16) | (from[at + 2]! << 8) | from[at + 3]!);

export function readU64(from: Uint8Array, at: number): number {
  const value = readU32(from, at) * two32 + readU32(from, at + 4);
  if (!Number.isSafeInteger(value)) throw new RangeError('an integer is above 2^53');
  return value;
}

function exactly(from: Buffer, bytes: number): void {
  if (from.length !== bytes) throw new RangeError(`${from.length} bytes where ${bytes} are due`);
}

/** Reads `count u32`, then that many items; the bytes must end with the last. */
function readList<Item>(from: Buffer, itemBytesMin: number, read: (at: number) => [Item, number]): Item[] {
  const count = from.readUInt32BE(0);
  if (count * itemBytesMin > from.length) throw new RangeError(`a list of ${count} items does not fit its field`);
  const items: Item[] = [];
  let at = 4;
  for (let index = 0; index < count; index++) {
    const [item, end] = read(at);
    items.push(item);
    at = end;
  }
  exactly(from, at);
  return items;
}

/** `length u32 ‖ bytes` at `at`. */
function readSlice(from: Buffer, at: number): [Buffer, number] {
  const end = at + 4 + from.readUInt32BE(at);
  if (end > from.length) throw new RangeError('an item is longer than its field');
  return [from.subarray(at + 4, end), end];
}

function writeSlice(value: Uint8Array, to: Buffer, at: number): number {
  const start = writeU32(value.length, to, at);
  to.set(value, start);
  return start + value.length;
}

function writeText(value: string, to: Buffer, at: number): number {
  const end = writeUtf8(value, to, at + 4);
  writeU32(end - at - 4, to, at);
  return end;
}

/** Shorter ones are mostly words of a protocol: looking at each character is cheaper than asking. */
const shortTextMax = 64;

function isShortAscii(value: string): boolean {
  if (value.length > shortTextMax) return false;
  for (let at = 0; at < value.length; at++) if (value.charCodeAt(at) >= 0x80) return false;
  return true;
}

const textBytes = (value: string): number => (isShortAscii(value) ? value.length : Buffer.byteLength(value, 'utf8'));

function writeUtf8(value: string, to: Buffer, at: number): number {
  if (!isShortAscii(value)) return at + to.write(value, at, 'utf8');
  for (let index = 0; index < value.length; index++) to[at + index] = value.charCodeAt(index);
  return at + value.length;
}

export const utf8: FieldCodec<string> = {
  bytes: textBytes,
  write: writeUtf8,
  read: (from) => from.toString('utf8'),
};

export const bytes: FieldCodec<Uint8Array> = {
  bytes: (value) => value.length,
  write(value, to, at) {
    to.set(value, at);
    return at + value.length;
  },
  read: (from) => from,
};

const bool: FieldCodec<boolean> = {
  bytes: () => 1,
  write(value, to, at) {
    to[at] = value ? 1 : 0;
    return at + 1;
  },
  read(from) {
    exactly(from, 1);
    if (from[0]! > 1) throw new RangeError('a boolean is 0 or 1');
    return from[0] === 1;
  },
};

const u64: FieldCodec<number> = {
  bytes: () => 8,
  write: writeU64,
  read(from) {
    exactly(from, 8);
    return readU64(from, 0);
  },
};

export const i64: FieldCodec<number> = {
  bytes: () => 8,
  write: writeI64,
  read(from) {
    exactly(from, 8);
    return Number(from.readBigInt64BE(0));
  },
};

export const i64List: FieldCodec<number[]> = {
  bytes: (value) => 4 + 8 * value.length,
  write(value, to, at) {
    at = writeU32(value.length, to, at);
    for (const item of value) at = writeI64(item, to, at);
    return at;
  },
  read: (from) => readList(from, 8, (at) => [Number(from.readBigInt64BE(at)), at + 8]),
};

export const bytesList: FieldCodec<Uint8Array[]> = {
  bytes: (value) => value.reduce((total, item) => total + 4 + item.length, 4),
  write(value, to, at) {
    at = writeU32(value.length, to, at);
    for (const item of value) at = writeSlice(item, to, at);
    return at;
  },
  read: (from) => readList(from, 4, (at) => readSlice(from, at)),
};

export const utf8List: FieldCodec<string[]> = {
  bytes: (value) => value.reduce((total, item) => total + 4 + textBytes(item), 4),
  write(value, to, at) {
    at = writeU32(value.length, to, at);
    for (const item of value) at = writeText(item, to, at);
    return at;
  },
  read: (from) => bytesList.read(from).map((item) => Buffer.from(item).toString('utf8')),
};

/** Pairs of name and value, in the order of the object. */
const utf8Map: FieldCodec<Record<string, string>> = {
  bytes: (value) =>
    Object.entries(value).reduce((total, [name, text]) => total + 8 + textBytes(name) + textBytes(text), 4),
  write(value, to, at) {
    const pairs = Object.entries(value);
    at = writeU32(pairs.length, to, at);
    for (const [name, text] of pairs) at = writeText(text, to, writeText(name, to, at));
    return at;
  },
  read(from) {
    const pairs = readList<[string, string]>(from, 8, (at) => {
      const [name, middle] = readSlice(from, at);
      const [text, end] = readSlice(from, middle);
      return [[name.toString('utf8'), text.toString('utf8')], end];
    });
    return Object.fromEntries(pairs);
  },
};

const nullLength = 0xffff_ffff;
/** Of one parameter, before its bytes: type i64, format i32, length u32 (0xffffffff: NULL, no bytes follow). */
const parameterHeadBytes = 16;

export const parameters: FieldCodec<Parameter[]> = {
  bytes: (value) => value.reduce((total, item) => total + parameterHeadBytes + (item.value?.length ?? 0), 4),
  write(value, to, at) {
    at = writeU32(value.length, to, at);
    for (const item of value) {
      at = writeU32(item.format, to, writeI64(item.type, to, at));
      at = writeU32(item.value === null ? nullLength : item.value.length, to, at);
      if (item.value === null) continue;
      to.set(item.value, at);
      at += item.value.length;
    }
    return at;
  },
  read: (from) =>
    readList<Parameter>(from, parameterHeadBytes, (at) => {
      const type = Number(from.readBigInt64BE(at));
      const format = from.readInt32BE(at + 8);
      if (from.readUInt32BE(at + 12) === nullLength) return [{ type, format, value: null }, at + parameterHeadBytes];
      const [value, end] = readSlice(from, at + 12);
      return [{ type, format, value }, end];
    }),
};

/** Which property has which type is the table's business (fields.ts), not the compiler's. */
export const fieldCodecs: Record<FieldType, FieldCodec<never>> = {
  utf8,
  bytes,
  bool,
  u64,
  i64,
  'i64-list': i64List,
  'bytes-list': bytesList,
  'utf8-list': utf8List,
  'utf8-map': utf8Map,
  parameters,
} as Record<FieldType, unknown> as Record<FieldType, FieldCodec<never>>;
