import { textOf } from './messages.ts';

/**
 * A parameter as a person would type it in SQL. Only what can be read for certain is; anything else is shown as the bytes it is.
 * Type OIDs: PostgreSQL's src/include/catalog/pg_type.dat; binary forms: the `*_send` functions of src/backend/utils/adt.
 */
export function renderParameter(type: number, format: number, value: Uint8Array): string {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
  const text = format === 0 ? textOf(value) : textOfBinary(type, bytes);
  if (text === undefined) return quote(hex(bytes));
  if (type === 16 && format === 1) return text;
  return numbers.has(type) && isNumeral(text) ? text : quote(text);
}

/** What PostgreSQL reads as the same value; undefined where that cannot be said for certain. Text is UTF-8. */
export function parameterText(type: number, format: number, value: Uint8Array): string | undefined {
  if (format !== 0) return textOfBinary(type, Buffer.from(value.buffer, value.byteOffset, value.length));
  const text = textOf(value);
  return Buffer.compare(Buffer.from(text), value) === 0 ? text : undefined;
}

/** A value of a result as psql would show it; what cannot be read for certain, as the bytes it is. */
export function renderValue(type: number, format: number, value: Uint8Array): string {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
  return (format === 0 ? textOf(value) : textOfBinary(type, bytes)) ?? hex(bytes);
}

/** Reads back as the same number without quotes; `-0` would become an integer, which has no such thing. */
const isNumeral = (text: string): boolean => /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) && !/^-[0.]+(e|$)/i.test(text);

const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`;
const hex = (bytes: Buffer): string => String.raw`\x${bytes.toString('hex')}`;

const numbers = new Set([20, 21, 23, 26, 700, 701, 1700]);
const texts = new Set([18, 19, 25, 114, 142, 705, 1042, 1043]); // char name text json xml unknown bpchar varchar
/** bool bytea char name int2 int4 text bpchar varchar int8 float4 float8 oid timestamp date timestamptz numeric uuid json jsonb */
const arrays = new Set([
  1000, 1001, 1002, 1003, 1005, 1007, 1009, 1014, 1015, 1016, 1021, 1022, 1028, 1115, 1182, 1185, 1231, 2951, 199, 3807,
]);

const scalars: Record<number, (bytes: Buffer) => string | undefined> = {
  16: (bytes) => (bytes.length === 1 ? String(bytes[0] !== 0) : undefined), // bool
  17: hex, // bytea
  20: (bytes) => (bytes.length === 8 ? bytes.readBigInt64BE().toString() : undefined), // int8
  21: (bytes) => (bytes.length === 2 ? bytes.readInt16BE().toString() : undefined), // int2
  23: (bytes) => (bytes.length === 4 ? bytes.readInt32BE().toString() : undefined), // int4
  26: (bytes) => (bytes.length === 4 ? bytes.readUInt32BE().toString() : undefined), // oid
  700: (bytes) => (bytes.length === 4 ? single(bytes.readFloatBE()) : undefined), // float4
  701: (bytes) => (bytes.length === 8 ? number(bytes.readDoubleBE()) : undefined), // float8
  1082: (bytes) => (bytes.length === 4 ? date(bytes.readInt32BE()) : undefined), // date
  1114: (bytes) => (bytes.length === 8 ? timestamp(bytes.readBigInt64BE(), '') : undefined), // timestamp
  1184: (bytes) => (bytes.length === 8 ? timestamp(bytes.readBigInt64BE(), 'Z') : undefined), // timestamptz
  1700: numeric,
  2950: (bytes) => (bytes.length === 16 ? uuid(bytes.toString('hex')) : undefined), // uuid
  3802: (bytes) => (bytes[0] === 1 ? textOf(bytes.subarray(1)) : undefined), // jsonb, version 1
};

function textOfBinary(type: number, bytes: Buffer): string | undefined {
  if (texts.has(type)) return textOf(bytes);
  return arrays.has(type) ? array(bytes) : scalars[type]?.(bytes);
}

const uuid = (digits: string): string => digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
const number = (value: number): string => (Object.is(value, -0) ? '-0' : value.toString());

/** The shortest digits that still mean the same single-precision number. */
function single(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return number(value);
  const digits = [6, 7, 8].find((count) => Math.fround(Number(value.toPrecision(count))) === value) ?? 9;
  return number(Number(value.toPrecision(digits)));
}

const epochMillis = Date.UTC(2000, 0, 1);

function date(days: number): string | undefined {
  if (days === 2 ** 31 - 1) return 'infinity';
  if (days === -(2 ** 31)) return '-infinity';
  return calendar(epochMillis + days * 86_400_000)?.slice(0, 10);
}

function timestamp(micros: bigint, zone: string): string | undefined {
  if (micros === 2n ** 63n - 1n) return 'infinity';
  if (micros === -(2n ** 63n)) return '-infinity';
  const rest = ((micros % 1000n) + 1000n) % 1000n;
  const shown = calendar(epochMillis + Number((micros - rest) / 1000n));
  return shown && `${shown}${rest === 0n ? '' : rest.toString().padStart(3, '0')}${zone}`;
}

/** Years 1 to 9999: outside them the forms of ECMAScript and PostgreSQL differ. */
function calendar(millis: number): string | undefined {
  const at = new Date(millis);
  const year = at.getUTCFullYear();
  return year >= 1 && year <= 9999 ? at.toISOString().slice(0, -1) : undefined;
}

const specialNumerics: Record<number, string> = { 0xc000: 'NaN', 0xd000: 'Infinity', 0xf000: '-Infinity' };

/** ndigits, weight, sign, dscale, then base-10000 digits. */
function numeric(bytes: Buffer): string | undefined {
  if (bytes.length < 8) return undefined;
  const [count, weight, sign, scale] = [
    bytes.readUInt16BE(0),
    bytes.readInt16BE(2),
    bytes.readUInt16BE(4),
    bytes.readUInt16BE(6),
  ];
  if (bytes.length !== 8 + count * 2) return undefined;
  if (specialNumerics[sign] !== undefined) return specialNumerics[sign];
  if ((sign !== 0 && sign !== 0x4000) || Math.abs(weight) > 100) return undefined;
  const digits = (index: number) =>
    index >= 0 && index < count
      ? bytes
          .readUInt16BE(8 + index * 2)
          .toString()
          .padStart(4, '0')
      : '0000';
  let whole = '';
  for (let index = 0; index <= weight; index++) whole += digits(index);
  let fraction = '';
  for (let index = weight + 1; fraction.length < scale; index++) fraction += digits(index);
  const shown = `${whole.replace(/^0+(?=\d)/, '') || '0'}${scale > 0 ? `.${fraction.slice(0, scale)}` : ''}`;
  return sign === 0x4000 ? `-${shown}` : shown;
}

/** Dimensions, a flag for NULLs, the element's type, size and lower bound of each dimension, then length and bytes of each element. */
function array(bytes: Buffer): string | undefined {
  let at = 0;
  const next = () => (at += 4) && bytes.readInt32BE(at - 4);
  try {
    const dimensions = next();
    if (dimensions === 0) return '{}';
    next();
    const type = next();
    if (dimensions < 0 || dimensions > 6) return undefined;
    const sizes: number[] = [];
    for (let index = 0; index < dimensions; index++) {
      sizes.push(next());
      if (next() !== 1) return undefined; // '[2:3]={…}': rare enough
    }
    const elements = (depth: number): string => {
      const parts: string[] = [];
      for (let index = 0; index < sizes[depth]!; index++) {
        parts.push(depth < dimensions - 1 ? elements(depth + 1) : element(type));
      }
      return `{${parts.join(',')}}`;
    };
    const element = (of: number): string => {
      const length = next();
      if (length === -1) return 'NULL';
      at += length;
      if (length < 0 || at > bytes.length) throw new RangeError('an element past the end');
      const text = arrays.has(of) ? undefined : textOfBinary(of, bytes.subarray(at - length, at));
      if (text === undefined) throw new RangeError('an element that cannot be read');
      return /^$|[{},"\\\s]|^null$/i.test(text) ? `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"` : text;
    };
    const shown = elements(0);
    return at === bytes.length ? shown : undefined;
  } catch (error) {
    if (error instanceof RangeError) return undefined; // shown as bytes
    throw error;
  }
}
