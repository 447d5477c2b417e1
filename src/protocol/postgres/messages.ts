/**
 * Messages of the PostgreSQL frontend/backend protocol, versions 3.0 and 3.2, by their own names.
 * https://www.postgresql.org/docs/current/protocol-message-formats.html
 *
 * A message is a type byte, an int32 length that counts itself and the body, and the body. Bodies are decoded strictly: surplus or
 * missing bytes are a ProtocolError. For every decoder there is an encoder, and encode(decode(x)) = x. A decoder takes a body as a place
 * in the memory that it came in.
 */
import { ByteReader } from '../byte-reader.ts';
import { ProtocolError } from '../../shared/errors.ts';

const code = (letter: string): number => letter.charCodeAt(0);

/** Type bytes of messages that a client sends. */
export const frontendType = {
  bind: code('B'),
  close: code('C'),
  copyData: code('d'),
  copyDone: code('c'),
  copyFail: code('f'),
  describe: code('D'),
  execute: code('E'),
  flush: code('H'),
  functionCall: code('F'),
  parse: code('P'),
  password: code('p'),
  query: code('Q'),
  sync: code('S'),
  terminate: code('X'),
} as const;

/** Type bytes of messages that a server sends. */
export const backendType = {
  authentication: code('R'),
  backendKeyData: code('K'),
  bindComplete: code('2'),
  closeComplete: code('3'),
  commandComplete: code('C'),
  copyBothResponse: code('W'),
  copyData: code('d'),
  copyDone: code('c'),
  copyInResponse: code('G'),
  copyOutResponse: code('H'),
  dataRow: code('D'),
  emptyQueryResponse: code('I'),
  errorResponse: code('E'),
  functionCallResponse: code('V'),
  negotiateProtocolVersion: code('v'),
  noData: code('n'),
  noticeResponse: code('N'),
  notificationResponse: code('A'),
  parameterDescription: code('t'),
  parameterStatus: code('S'),
  parseComplete: code('1'),
  portalSuspended: code('s'),
  readyForQuery: code('Z'),
  rowDescription: code('T'),
} as const;

/** Type byte and length. */
export const headerBytes = 5;

const utf8 = new TextDecoder('utf-8');
export const textOf = (bytes: Uint8Array): string => utf8.decode(bytes);
export const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'utf8');

// ── encoding ────────────────────────────────────────────────────────────────

/** Puts a header before the parts of a body. */
export function encodeMessage(type: number, ...parts: Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 4);
  const message = Buffer.allocUnsafe(length + 1);
  message[0] = type;
  message.writeInt32BE(length, 1);
  let at = headerBytes;
  for (const part of parts) {
    message.set(part, at);
    at += part.length;
  }
  return message;
}

export function int16(value: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(2);
  bytes.writeInt16BE(value);
  return bytes;
}

export function int32(value: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function uint16(value: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

const nul = Uint8Array.of(0);
/** A string's bytes and the final NUL. */
export const cstring = (bytes: Uint8Array): Uint8Array[] => [bytes, nul];

// ── what a client sends ─────────────────────────────────────────────────────

/** Query: one string; the whole text, multi-statement included. */
export function decodeQuery(bytes: Uint8Array, start = 0, end = bytes.length): Uint8Array {
  const reader = new ByteReader(bytes, start, end);
  const text = reader.cstring();
  reader.done();
  return text;
}

export interface Parse {
  name: Uint8Array;
  text: Uint8Array;
  /** OIDs; 0 leaves the type to the server. */
  types: number[];
}

export function decodeParse(bytes: Uint8Array, start = 0, end = bytes.length): Parse {
  const reader = new ByteReader(bytes, start, end);
  const name = reader.cstring();
  const text = reader.cstring();
  const types = reader.uint32s();
  reader.done();
  return { name, text, types };
}

export function encodeParse({ name, text, types }: Parse): Uint8Array {
  const oids = Buffer.allocUnsafe(types.length * 4);
  for (const [index, oid] of types.entries()) oids.writeUInt32BE(oid, index * 4);
  return encodeMessage(frontendType.parse, ...cstring(name), ...cstring(text), uint16(types.length), oids);
}

export interface Bind {
  portal: Uint8Array;
  statement: Uint8Array;
  /** None (all text), one for all, or one each. */
  formats: number[];
  values: (Uint8Array | null)[];
  resultFormats: number[];
}

export function decodeBind(bytes: Uint8Array, start = 0, end = bytes.length): Bind {
  const reader = new ByteReader(bytes, start, end);
  const portal = reader.cstring();
  const statement = reader.cstring();
  const formats = reader.int16s();
  const values = valuesOf(reader);
  const resultFormats = reader.int16s();
  reader.done();
  checkFormats(formats, values.length);
  return { portal, statement, formats, values, resultFormats };
}

export function encodeBind({ portal, statement, formats, values, resultFormats }: Bind): Uint8Array {
  return encodeMessage(
    frontendType.bind,
    ...cstring(portal),
    ...cstring(statement),
    ...counted(formats),
    uint16(values.length),
    ...values.flatMap(encodeValue),
    ...counted(resultFormats),
  );
}

export interface Execute {
  portal: Uint8Array;
  /** 0 = all. */
  rowLimit: number;
}

export function decodeExecute(bytes: Uint8Array, start = 0, end = bytes.length): Execute {
  const reader = new ByteReader(bytes, start, end);
  const portal = reader.cstring();
  const rowLimit = reader.int32();
  reader.done();
  return { portal, rowLimit };
}

export const encodeExecute = ({ portal, rowLimit }: Execute): Uint8Array =>
  encodeMessage(frontendType.execute, ...cstring(portal), int32(rowLimit));

/** Describe and Close: a prepared statement (`S`) or a portal (`P`) by name. */
export interface Target {
  what: 'statement' | 'portal';
  name: Uint8Array;
}

export function decodeTarget(bytes: Uint8Array, start = 0, end = bytes.length): Target {
  const reader = new ByteReader(bytes, start, end);
  const what = reader.uint8();
  const name = reader.cstring();
  reader.done();
  if (what === code('S')) return { what: 'statement', name };
  if (what === code('P')) return { what: 'portal', name };
  throw new ProtocolError('bad-message', 'Describe or Close of neither a statement nor a portal');
}

export const encodeTarget = (type: number, { what, name }: Target): Uint8Array =>
  encodeMessage(type, Uint8Array.of(code(what === 'statement' ? 'S' : 'P')), ...cstring(name));

export interface FunctionCall {
  functionId: number;
  formats: number[];
  values: (Uint8Array | null)[];
  resultFormat: number;
}

export function decodeFunctionCall(bytes: Uint8Array, start = 0, end = bytes.length): FunctionCall {
  const reader = new ByteReader(bytes, start, end);
  const functionId = reader.uint32();
  const formats = reader.int16s();
  const values = valuesOf(reader);
  const resultFormat = reader.int16();
  reader.done();
  checkFormats(formats, values.length);
  return { functionId, formats, values, resultFormat };
}

export function encodeFunctionCall({ functionId, formats, values, resultFormat }: FunctionCall): Uint8Array {
  const id = Buffer.allocUnsafe(4);
  id.writeUInt32BE(functionId);
  return encodeMessage(
    frontendType.functionCall,
    id,
    ...counted(formats),
    uint16(values.length),
    ...values.flatMap(encodeValue),
    int16(resultFormat),
  );
}

export function decodeCopyFail(bytes: Uint8Array, start = 0, end = bytes.length): Uint8Array {
  const reader = new ByteReader(bytes, start, end);
  const reason = reader.cstring();
  reader.done();
  return reason;
}

/** Sync, Flush, CopyDone, Terminate and their like: nothing but a header. */
export function decodeEmpty(bytes: Uint8Array, start = 0, end = bytes.length): void {
  if (end > start) throw new ProtocolError('surplus-bytes', 'a body where none belongs');
}

/** The format of one parameter, by the rule none / one / each. */
export const formatOf = (formats: number[], index: number): number =>
  (formats.length === 1 ? formats[0] : formats[index]) ?? 0;

// ── what a server sends ─────────────────────────────────────────────────────

/** ErrorResponse and NoticeResponse: fields by their letter (`S` severity, `C` SQLSTATE, `M` message, …). */
export function decodeFields(bytes: Uint8Array, start = 0, end = bytes.length): Map<string, string> {
  const reader = new ByteReader(bytes, start, end);
  const fields = new Map<string, string>();
  for (let letter = reader.uint8(); letter !== 0; letter = reader.uint8()) {
    fields.set(String.fromCharCode(letter), textOf(reader.cstring()));
  }
  reader.done();
  return fields;
}

export interface ErrorFields {
  severity: 'ERROR' | 'FATAL';
  /** SQLSTATE. */
  code: string;
  message: string;
  hint?: string;
}

export function encodeErrorResponse({ severity, code: sqlState, message, hint }: ErrorFields): Uint8Array {
  const field = (letter: string, text: string) => Buffer.from(`${letter}${text.replaceAll('\0', '')}\0`);
  return encodeMessage(
    backendType.errorResponse,
    field('S', severity),
    field('V', severity),
    field('C', sqlState),
    field('M', message),
    hint === undefined ? new Uint8Array(0) : field('H', hint),
    nul,
  );
}

export function decodeParameterStatus(
  bytes: Uint8Array,
  start = 0,
  end = bytes.length,
): { name: string; value: string } {
  const reader = new ByteReader(bytes, start, end);
  const name = textOf(reader.cstring());
  const status = textOf(reader.cstring());
  reader.done();
  return { name, value: status };
}

export const encodeParameterStatus = (name: string, text: string): Uint8Array =>
  encodeMessage(backendType.parameterStatus, ...cstring(bytesOf(name)), ...cstring(bytesOf(text)));

export function decodeCommandComplete(bytes: Uint8Array, start = 0, end = bytes.length): string {
  const reader = new ByteReader(bytes, start, end);
  const tag = textOf(reader.cstring());
  reader.done();
  return tag;
}

export interface Notification {
  processId: number;
  channel: Uint8Array;
  payload: Uint8Array;
}

export function decodeNotification(bytes: Uint8Array, start = 0, end = bytes.length): Notification {
  const reader = new ByteReader(bytes, start, end);
  const processId = reader.int32();
  const channel = reader.cstring();
  const payload = reader.cstring();
  reader.done();
  return { processId, channel, payload };
}

/** CopyInResponse and CopyOutResponse: overall format, and one for each column. */
export interface CopyResponse {
  format: number;
  columnFormats: number[];
}

export function decodeCopyResponse(bytes: Uint8Array, start = 0, end = bytes.length): CopyResponse {
  const reader = new ByteReader(bytes, start, end);
  const format = reader.uint8();
  const columnFormats = reader.int16s();
  reader.done();
  return { format, columnFormats };
}

export function decodeFunctionCallResponse(bytes: Uint8Array, start = 0, end = bytes.length): Uint8Array | null {
  const reader = new ByteReader(bytes, start, end);
  const result = valueOf(reader);
  reader.done();
  return result;
}

export type TransactionStatus = 'I' | 'T' | 'E';

export function decodeReadyForQuery(bytes: Uint8Array, start = 0, end = bytes.length): TransactionStatus {
  const reader = new ByteReader(bytes, start, end);
  const status = reader.uint8();
  reader.done();
  if (status === code('I')) return 'I';
  if (status === code('T')) return 'T';
  if (status === code('E')) return 'E';
  throw new ProtocolError('bad-message', 'ReadyForQuery with an unknown status');
}

export const encodeReadyForQuery = (status: TransactionStatus): Uint8Array =>
  encodeMessage(backendType.readyForQuery, Uint8Array.of(code(status)));

/** RowDescription: what it says of each column is for the client alone, and only checked. */
export function checkRowDescription(bytes: Uint8Array, start = 0, end = bytes.length): void {
  const reader = new ByteReader(bytes, start, end);
  for (let columns = reader.uint16(); columns > 0; columns--) {
    reader.skipCstring();
    reader.skip(18); // table, column number, type, size, modifier, format
  }
  reader.done();
}

export function decodeParameterDescription(bytes: Uint8Array, start = 0, end = bytes.length): number[] {
  const reader = new ByteReader(bytes, start, end);
  const types = reader.uint32s();
  reader.done();
  return types;
}

// ── shared pieces ───────────────────────────────────────────────────────────

function valuesOf(reader: ByteReader): (Uint8Array | null)[] {
  const values: (Uint8Array | null)[] = [];
  for (let count = reader.uint16(); count > 0; count--) values.push(valueOf(reader));
  return values;
}

/** Length -1 is NULL; 0 is an empty value; any other negative is an error. */
function valueOf(reader: ByteReader): Uint8Array | null {
  const length = reader.int32();
  return length === -1 ? null : reader.bytes(length);
}

const encodeValue = (bytes: Uint8Array | null): Uint8Array[] =>
  bytes === null ? [int32(-1)] : [int32(bytes.length), bytes];

const counted = (formats: number[]): Uint8Array[] => [uint16(formats.length), ...formats.map(int16)];

function checkFormats(formats: number[], count: number): void {
  if (formats.length > 1 && formats.length !== count) {
    throw new ProtocolError('bad-message', `${formats.length} formats for ${count} parameters`);
  }
}
