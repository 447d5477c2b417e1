import { expect, test } from 'vitest';
import { backendType, bytesOf, cstring, encodeMessage, int16, int32 } from '../../../src/protocol/postgres/messages.ts';
import { withoutObjectNumbers } from '../../../src/protocol/postgres/row-description.ts';

interface Column {
  name: string;
  table: number;
  number: number;
  type: number;
}

const description = (...columns: Column[]): Uint8Array =>
  encodeMessage(
    backendType.rowDescription,
    int16(columns.length),
    ...columns.flatMap(({ name, table, number, type }) => [
      ...cstring(bytesOf(name)),
      int32(table),
      int16(number),
      int32(type),
      int16(-1),
      int32(-1),
      int16(1),
    ]),
  );

test('tables, places in them and types that somebody made are zeros; everything else is as it was', () => {
  const own = { name: 'mood', table: 16_390, number: 3, type: 16_400 };
  const message = description({ name: 'id', table: 16_390, number: 1, type: 23 }, own);
  const before = Buffer.from(message);
  expect(withoutObjectNumbers(message)).toEqual(
    description({ name: 'id', table: 0, number: 0, type: 23 }, { name: 'mood', table: 0, number: 0, type: 0 }),
  );
  expect(Buffer.from(message)).toEqual(before);
});

test('a result of no column', () => {
  expect(withoutObjectNumbers(description())).toEqual(description());
});
