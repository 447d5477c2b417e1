import { postgres } from '../../../src/protocol/postgres/index.ts';
import type { Protocol } from '../../../src/protocol/protocol.ts';
import { redis } from '../../../src/protocol/redis/index.ts';

/** What a simulated client and a simulated resource say of a wire protocol. A marker is a word that is in one statement only. */
export interface Dialect {
  protocol: Protocol;
  ask(marker: string, padding: string): Buffer;
  answer(marker: string): Buffer;
  refusal(marker: string): Buffer;
}

const markerPattern = /m\d{6}m/g;
export const markerOf = (number: number): string => `m${String(number).padStart(6, '0')}m`;
export const markersIn = (bytes: Uint8Array): string[] =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1').match(markerPattern) ?? [];

function message(type: string, ...parts: string[]): Buffer {
  const body = Buffer.from(parts.map((part) => `${part}\0`).join(''));
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

/** A body that is one character, without an end of its own. */
const ready = Buffer.from('5a0000000549', 'hex');

const postgresDialect: Dialect = {
  protocol: postgres,
  ask: (marker, padding) => message('Q', `update t set a = '${marker}${padding}'`),
  answer: () => Buffer.concat([message('C', 'UPDATE 1'), ready]),
  refusal: () => Buffer.concat([message('E', 'SERROR', 'VERROR', 'C42P01', 'Mno such table', ''), ready]),
};

const redisDialect: Dialect = {
  protocol: redis,
  ask: (marker, padding) => {
    const words = ['SET', marker, `v${padding}`];
    return Buffer.from(`*3\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`);
  },
  answer: () => Buffer.from('+OK\r\n'),
  refusal: () => Buffer.from('-WRONGTYPE no\r\n'),
};

export const dialects = [postgresDialect, redisDialect] as const;
