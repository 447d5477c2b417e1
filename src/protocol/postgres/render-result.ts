import { ByteReader } from '../byte-reader.ts';
import type { ResultTable } from '../protocol.ts';
import { backendType, headerBytes, textOf } from './messages.ts';
import { renderValue } from './render.ts';
import { Splitter, wholeMessages } from './splitter.ts';

interface Column {
  name: string;
  type: number;
  format: number;
}

/**
 * Kept result messages as tables: each RowDescription begins one. Rows of an Execute have the names of a RowDescription that was sent
 * before, where it was seen, and the formats of their Bind.
 */
export function renderResult(messages: Uint8Array, resultFormats: readonly number[]): ResultTable[] {
  const tables: ResultTable[] = [];
  let columns: Column[] | undefined;
  const table = (names: string[]): ResultTable => {
    const begun = tables.at(-1) ?? { columns: names, rows: [] };
    if (tables.length === 0) tables.push(begun);
    return begun;
  };
  const message = (type: number, bytes: Uint8Array): void => {
    const body = bytes.subarray(headerBytes);
    if (type === backendType.rowDescription) {
      columns = columnsOf(body);
      tables.push({ columns: columns.map(({ name }) => name), rows: [] });
    } else if (type === backendType.copyOutResponse) tables.push({ columns: ['COPY data'], rows: [] });
    else if (type === backendType.copyData) table(['COPY data']).rows.push([textOf(body)]);
    else if (type === backendType.functionCallResponse) tables.push({ columns: ['result'], rows: [[resultOf(body)]] });
    else {
      const row = rowOf(body, columns, resultFormats);
      table(row.map((_, index) => String(index + 1))).rows.push(row);
    }
  };
  new Splitter(wholeMessages(message), messages.length).push(messages);
  return tables;
}

function columnsOf(body: Uint8Array): Column[] {
  const reader = new ByteReader(body);
  const columns = Array.from({ length: reader.uint16() }, () => {
    const name = textOf(reader.cstring());
    reader.bytes(6); // table, column number
    const type = reader.uint32();
    reader.bytes(6); // size, modifier
    return { name, type, format: reader.int16() };
  });
  reader.done();
  return columns;
}

function rowOf(body: Uint8Array, columns: Column[] | undefined, formats: readonly number[]): (string | null)[] {
  const reader = new ByteReader(body);
  const row: (string | null)[] = [];
  for (let left = reader.uint16(); left > 0; left--) {
    const length = reader.int32();
    const column = columns?.[row.length];
    const format = (formats.length === 1 ? formats[0] : formats[row.length]) ?? column?.format ?? 0;
    row.push(length === -1 ? null : renderValue(column?.type ?? 0, format, reader.bytes(length)));
  }
  return row;
}

/** A function's result has no type that anybody tells. */
function resultOf(body: Uint8Array): string | null {
  const reader = new ByteReader(body);
  const length = reader.int32();
  return length === -1 ? null : renderValue(0, 1, reader.bytes(length));
}
