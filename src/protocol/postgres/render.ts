import { textOf } from './messages.ts';

/** Type OIDs of PostgreSQL's catalog (src/include/catalog/pg_type.dat). */
const binary: Record<number, (bytes: Buffer) => string | undefined> = {
  16: (bytes) => (bytes.length === 1 ? String(bytes[0] === 1) : undefined), // bool
  20: (bytes) => (bytes.length === 8 ? bytes.readBigInt64BE().toString() : undefined), // int8
  21: (bytes) => (bytes.length === 2 ? bytes.readInt16BE().toString() : undefined), // int2
  23: (bytes) => (bytes.length === 4 ? bytes.readInt32BE().toString() : undefined), // int4
  26: (bytes) => (bytes.length === 4 ? bytes.readUInt32BE().toString() : undefined), // oid
  700: (bytes) => (bytes.length === 4 ? bytes.readFloatBE().toString() : undefined), // float4
  701: (bytes) => (bytes.length === 8 ? bytes.readDoubleBE().toString() : undefined), // float8
  1082: (bytes) => (bytes.length === 4 ? date(bytes.readInt32BE()) : undefined), // date
  1114: (bytes) => (bytes.length === 8 ? timestamp(bytes.readBigInt64BE(), '') : undefined), // timestamp
  1184: (bytes) => (bytes.length === 8 ? timestamp(bytes.readBigInt64BE(), 'Z') : undefined), // timestamptz
  1700: numeric,
  2950: (bytes) => (bytes.length === 16 ? quote(uuid(bytes.toString('hex'))) : undefined), // uuid
  3802: (bytes) => (bytes[0] === 1 ? quote(textOf(bytes.subarray(1))) : undefined), // jsonb, version 1
};
const texts = new Set([18, 19, 25, 114, 142, 705, 1042, 1043]); // char name text json xml unknown bpchar varchar
const numbers = new Set([20, 21, 23, 26, 700, 701, 1700]);

/** A parameter as a person would type it in SQL; what cannot be read for certain is shown as the bytes it is. */
export function renderParameter(type: number, format: number, value: Uint8Array): string {
  if (format === 0) {
    const text = textOf(value);
    return numbers.has(type) && /^-?[\d.]+(e[+-]?\d+)?$/i.test(text) ? text : quote(text);
  }
  if (texts.has(type)) return quote(textOf(value));
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
  return binary[type]?.(bytes) ?? `'\\x${bytes.toString('hex')}'`;
}

const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`;
const uuid = (hex: string): string => hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

const epochMillis = Date.UTC(2000, 0, 1);

function date(days: number): string | undefined {
  const at = new Date(epochMillis + days * 86_400_000);
  return Number.isNaN(at.getTime()) ? undefined : quote(at.toISOString().slice(0, 10));
}

function timestamp(micros: bigint, zone: string): string | undefined {
  const millis = Number(micros / 1000n) - (micros % 1000n < 0n ? 1 : 0);
  const at = new Date(epochMillis + millis);
  if (Number.isNaN(at.getTime())) return undefined;
  const rest = ((micros % 1000n) + 1000n) % 1000n;
  return quote(`${at.toISOString().slice(0, -1)}${rest === 0n ? '' : rest.toString().padStart(3, '0')}${zone}`);
}

/** ndigits, weight, sign, dscale, then base-10000 digits (src/backend/utils/adt/numeric.c). */
function numeric(bytes: Buffer): string | undefined {
  if (bytes.length < 8) return undefined;
  const [count, weight, sign, scale] = [
    bytes.readUInt16BE(0),
    bytes.readInt16BE(2),
    bytes.readUInt16BE(4),
    bytes.readUInt16BE(6),
  ];
  if (bytes.length !== 8 + count * 2 || (sign !== 0 && sign !== 0x4000) || weight > 100 || weight < -100)
    return undefined;
  const digit = (index: number) => (index >= 0 && index < count ? bytes.readUInt16BE(8 + index * 2) : 0);
  let whole = '';
  for (let index = 0; index <= weight; index++) whole += digit(index).toString().padStart(4, '0');
  let fraction = '';
  for (let index = weight + 1; fraction.length < scale; index++) fraction += digit(index).toString().padStart(4, '0');
  const shown = `${whole.replace(/^0+(?=\d)/, '') || '0'}${scale > 0 ? `.${fraction.slice(0, scale)}` : ''}`;
  return sign === 0x4000 ? `-${shown}` : shown;
}
