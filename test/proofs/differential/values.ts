import type { Chance } from './chance.ts';

/** A parameter to bind, and how a person would note it. */
export interface Value {
  format: 0 | 1;
  bytes: Uint8Array | null;
}

interface Kind {
  oid: number;
  /** As PostgreSQL itself writes it: its log shows what it read, not what was sent. */
  text(chance: Chance): string;
  binary?(chance: Chance): Buffer;
}

const odd = [
  "it's",
  '',
  ' ',
  'NULL',
  '\\',
  'a\nb\tc',
  'naïve 日本 😀',
  '$1',
  "''",
  '"',
  '; drop table items',
  '--',
  'é',
];
const word = (chance: Chance): string =>
  chance.is(0.3) ? chance.one(odd) : chance.bytes(chance.between(1, chance.is(0.05) ? 3000 : 8)).toString('base64');
const whole = (bits: number) => (chance: Chance) =>
  chance.is(0.2) ? chance.one([0, -1, 2 ** (bits - 1) - 1, -(2 ** (bits - 1))]) : chance.between(-9999, 9999);
const int4 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const day = (chance: Chance): number => chance.between(-10_000, 20_000);
const date = (days: number): string => new Date(Date.UTC(2000, 0, 1) + days * 86_400_000).toISOString().slice(0, 10);
const uuid = (digits: string): string => digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

export const kinds = {
  int4: {
    oid: 23,
    text: (chance) => String(whole(32)(chance)),
    binary: (chance) => int4(whole(32)(chance)),
  },
  int8: {
    oid: 20,
    text: (chance) => chance.one(['0', '9223372036854775807', '-9223372036854775808', '9007199254740993']),
    binary: (chance) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64BE(chance.one([0n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n]));
      return bytes;
    },
  },
  bool: {
    oid: 16,
    text: (chance) => chance.one(['t', 'f']),
    binary: (chance) => Buffer.of(chance.between(0, 1)),
  },
  text: { oid: 25, text: word, binary: (chance) => Buffer.from(word(chance)) },
  bytea: {
    oid: 17,
    text: (chance) => String.raw`\x${chance.bytes(chance.between(0, 12)).toString('hex')}`,
    binary: (chance) => chance.bytes(chance.between(0, chance.is(0.1) ? 3000 : 12)),
  },
  numeric: {
    oid: 1700,
    text: (chance) => chance.one(['0', '12.50', '-0.001', '1000', 'NaN', '123456789012345678901']),
  },
  float8: {
    oid: 701,
    text: (chance) => chance.one(['0', '1.5', '-2.25', '1e+100', 'Infinity', 'NaN']),
    binary: (chance) => {
      const bytes = Buffer.alloc(8);
      bytes.writeDoubleBE(chance.one([0, 1.5, -2.25, 0.1, 123_456]));
      return bytes;
    },
  },
  date: { oid: 1082, text: (chance) => date(day(chance)), binary: (chance) => int4(day(chance)) },
  uuid: {
    oid: 2950,
    text: (chance) => uuid(chance.bytes(16).toString('hex')),
    binary: (chance) => chance.bytes(16),
  },
  ints: {
    oid: 1007,
    text: (chance) => chance.one(['{}', '{1,2,NULL}', '{{1,2},{3,4}}']),
    binary: (chance) => Buffer.concat([1, 1, 23, 2, 1, 4, chance.between(-9, 9), -1].map(int4)), // {n,NULL}
  },
  jsonb: {
    oid: 3802,
    text: (chance) => chance.one(['{"a": 1}', '[]', '"x\'y"', 'null']),
    binary: (chance) => Buffer.from(`\u0001${chance.one(['{"b": [1, 2]}', '7'])}`),
  },
} as const satisfies Record<string, Kind>;

export type KindName = keyof typeof kinds;

/** A value of a kind: mostly a good one, of either format; NULL; now and then one that cannot be read. */
export function valueOf(chance: Chance, name: KindName): Value {
  const kind: Kind = kinds[name];
  if (chance.is(0.1)) return { format: chance.one([0, 1]), bytes: null };
  if (chance.is(0.03)) return unreadable(chance, name);
  if (kind.binary && chance.is(0.4)) return { format: 1, bytes: kind.binary(chance) };
  return { format: 0, bytes: Buffer.from(kind.text(chance)) };
}

/** Not of the kind, or not UTF-8. */
function unreadable(chance: Chance, name: KindName): Value {
  if (chance.is(0.4)) return { format: 1, bytes: chance.bytes(3) };
  return { format: 0, bytes: chance.is(0.5) || name === 'bytea' ? Buffer.of(0x61, 0xff) : Buffer.from('bad!') };
}
