import {
  bytesOf,
  encodeBind,
  encodeExecute,
  encodeMessage,
  encodeParse,
  encodeTarget,
  frontendType,
} from '../../src/protocol/postgres/messages.ts';

/** What a client sends, in the fewest words: for scripts of raw conversations. */
const text = (value: string): Uint8Array => bytesOf(`${value}\0`);

export const say = {
  query: (sql: string) => encodeMessage(frontendType.query, text(sql)),
  parse: (name: string, sql: string, ...types: number[]) =>
    encodeParse({ name: bytesOf(name), text: bytesOf(sql), types }),
  bind: (portal: string, statement: string, ...values: string[]) =>
    encodeBind({
      portal: bytesOf(portal),
      statement: bytesOf(statement),
      formats: [],
      values: values.map(bytesOf),
      resultFormats: [],
    }),
  execute: (portal: string, rowLimit = 0) => encodeExecute({ portal: bytesOf(portal), rowLimit }),
  describeStatement: (name: string) => encodeTarget(frontendType.describe, { what: 'statement', name: bytesOf(name) }),
  describePortal: (name: string) => encodeTarget(frontendType.describe, { what: 'portal', name: bytesOf(name) }),
  closeStatement: (name: string) => encodeTarget(frontendType.close, { what: 'statement', name: bytesOf(name) }),
  closePortal: (name: string) => encodeTarget(frontendType.close, { what: 'portal', name: bytesOf(name) }),
  sync: () => encodeMessage(frontendType.sync),
  flush: () => encodeMessage(frontendType.flush),
  copyData: (rows: string) => encodeMessage(frontendType.copyData, bytesOf(rows)),
  copyDone: () => encodeMessage(frontendType.copyDone),
  copyFail: (reason: string) => encodeMessage(frontendType.copyFail, text(reason)),
  terminate: () => encodeMessage(frontendType.terminate),
};
