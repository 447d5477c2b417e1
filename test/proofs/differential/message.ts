import { bytesOf, encodeBind, encodeFunctionCall, encodeParse } from '../../../src/protocol/postgres/messages.ts';
import { say } from '../../support/frontend-messages.ts';
import type { Value } from './values.ts';

/** One message that a client sends, and how a person would note it. */
export interface Message {
  note: string;
  bytes: Uint8Array;
}

const short = (text: string): string => JSON.stringify(text.length > 300 ? `${text.slice(0, 300)}…` : text);
const shown = ({ format, bytes }: Value): string =>
  bytes === null ? 'NULL' : `${format === 0 ? 'text' : 'binary'}:${short(Buffer.from(bytes).toString('latin1'))}`;

export const query = (sql: string): Message => ({ note: `Query ${short(sql)}`, bytes: say.query(sql) });

export const parse = (name: string, sql: string, types: number[] = []): Message => ({
  note: `Parse ${short(name)} ${short(sql)} [${types.join()}]`,
  bytes: encodeParse({ name: bytesOf(name), text: bytesOf(sql), types }),
});

export const bind = (portal: string, statement: string, values: Value[], resultFormats: number[] = []): Message => ({
  note: `Bind ${short(portal)} to ${short(statement)} (${values.map(shown).join(', ')}) results [${resultFormats.join()}]`,
  bytes: encodeBind({
    portal: bytesOf(portal),
    statement: bytesOf(statement),
    formats: values.map(({ format }) => format),
    values: values.map(({ bytes }) => bytes),
    resultFormats,
  }),
});

export const execute = (portal: string, rowLimit = 0): Message => ({
  note: `Execute ${short(portal)} limit ${rowLimit}`,
  bytes: say.execute(portal, rowLimit),
});

export const functionCall = (functionId: number, values: Value[]): Message => ({
  note: `FunctionCall ${functionId} (${values.map(shown).join(', ')})`,
  bytes: encodeFunctionCall({
    functionId,
    formats: values.map(({ format }) => format),
    values: values.map(({ bytes }) => bytes),
    resultFormat: 0,
  }),
});

type Target = 'describeStatement' | 'describePortal' | 'closeStatement' | 'closePortal';
export const target = (what: Target, name: string): Message => ({
  note: `${what} ${short(name)}`,
  bytes: say[what](name),
});

export const sync: Message = { note: 'Sync', bytes: say.sync() };
export const flush: Message = { note: 'Flush', bytes: say.flush() };
export const copyDone: Message = { note: 'CopyDone', bytes: say.copyDone() };
export const copyFail: Message = { note: 'CopyFail', bytes: say.copyFail('the client gave up') };
export const copyData = (rows: string): Message => ({ note: `CopyData ${short(rows)}`, bytes: say.copyData(rows) });
