import { expect, it } from 'vitest';
import { commandTagOf } from '../../../src/protocol/postgres/command-tag.ts';

const read = (body: string) => commandTagOf(Buffer.from(body), 0, Buffer.byteLength(body));

it.each([
  ['SELECT 1', 1],
  ['SELECT 0', 0],
  ['INSERT 0 12345678', 12_345_678],
  ['COPY 9007199254740991', Number.MAX_SAFE_INTEGER],
  ['SELECT 100000000000000000000', 1e20],
  ['CREATE TABLE', undefined],
  ['FETCH', undefined],
  ['1', undefined],
  ['SELECT ', undefined],
  ['SELECT 1 ', undefined],
  ['SELECT 1x', undefined],
  ['SELECT x1', undefined],
  ['', undefined],
  ['ÄÖ 7', 7],
])('%j counts %s rows, the first time and again', (text, rows) => {
  for (let time = 0; time < 2; time++) expect(read(`${text}\0`)).toEqual({ text, rows });
});

it('is never taken for another of the same length', () => {
  for (let number = 0; number < 2000; number++) {
    const text = `UPDATE ${number}`;
    expect(read(`${text}\0`)).toEqual({ text, rows: number });
    expect(read('UPDATE 7\0')).toEqual({ text: 'UPDATE 7', rows: 7 });
  }
});

it('is read from its place in the memory', () => {
  expect(commandTagOf(Buffer.from('xxSELECT 3\0yy'), 2, 11)).toEqual({ text: 'SELECT 3', rows: 3 });
});

it('is refused without its end, or with more behind it, also where a good one is known', () => {
  read('SELECT 1\0');
  for (let time = 0; time < 2; time++) {
    expect(() => read('SELECT 1')).toThrow('a string without its end');
    expect(() => commandTagOf(Buffer.from('SELECT 1\0'), 0, 8)).toThrow('a string without its end');
    expect(() => read('SELECT 1\0\0')).toThrow('1 bytes after the end of a message');
    expect(() => read('SELECT\x001\0')).toThrow('2 bytes after the end of a message');
  }
});
