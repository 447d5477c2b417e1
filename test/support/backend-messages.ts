import {
  backendType,
  bytesOf,
  cstring,
  encodeErrorResponse,
  encodeMessage,
  encodeParameterStatus,
  encodeReadyForQuery,
  int16,
  int32,
  type TransactionStatus,
} from '../../src/protocol/postgres/messages.ts';

const text = (value: string): Uint8Array[] => cstring(bytesOf(value));
const copyResponse = (type: number) => encodeMessage(type, Uint8Array.of(0), int16(1), int16(0));

/** What a server answers, in the fewest words: for scripts of conversations. */
export const answer = {
  parsed: () => encodeMessage(backendType.parseComplete),
  bound: () => encodeMessage(backendType.bindComplete),
  closed: () => encodeMessage(backendType.closeComplete),
  noData: () => encodeMessage(backendType.noData),
  suspended: () => encodeMessage(backendType.portalSuspended),
  empty: () => encodeMessage(backendType.emptyQueryResponse),
  complete: (tag: string) => encodeMessage(backendType.commandComplete, ...text(tag)),
  ready: (status: TransactionStatus = 'I') => encodeReadyForQuery(status),
  /** One text column. */
  columns: (name = 'c') =>
    encodeMessage(
      backendType.rowDescription,
      int16(1),
      ...text(name),
      int32(0),
      int16(0),
      int32(25),
      int16(-1),
      int32(-1),
      int16(0),
    ),
  row: (value: string) => encodeMessage(backendType.dataRow, int16(1), int32(bytesOf(value).length), bytesOf(value)),
  parameters: (...types: number[]) =>
    encodeMessage(backendType.parameterDescription, int16(types.length), ...types.map(int32)),
  copyIn: () => copyResponse(backendType.copyInResponse),
  copyOut: () => copyResponse(backendType.copyOutResponse),
  copyBoth: () => copyResponse(backendType.copyBothResponse),
  copyData: (rows: string) => encodeMessage(backendType.copyData, bytesOf(rows)),
  copyDone: () => encodeMessage(backendType.copyDone),
  error: (code: string, message = 'no') => encodeErrorResponse({ severity: 'ERROR', code, message }),
  fatal: (code: string, message = 'going down') => encodeErrorResponse({ severity: 'FATAL', code, message }),
  notice: (message: string) => encodeMessage(backendType.noticeResponse, ...text(`M${message}`), Uint8Array.of(0)),
  notification: (channel: string, payload: string) =>
    encodeMessage(backendType.notificationResponse, int32(7), ...text(channel), ...text(payload)),
  setting: (name: string, value: string) => encodeParameterStatus(name, value),
  functionResult: (value: string) =>
    encodeMessage(backendType.functionCallResponse, int32(bytesOf(value).length), bytesOf(value)),
};
