import type { DataEvent, OutcomeEvent, StatementEvent } from '../protocol/event.ts';
import type { EntryBody } from './entry.ts';
import {
  bytes,
  bytesList,
  i64,
  i64List,
  parameters,
  utf8,
  utf8List,
  writeU16,
  writeU32,
  writeU64,
  type FieldCodec,
} from './field-codecs.ts';
import { fieldHeadBytes, fieldsBytes, fieldsOf, writeFields } from './fields.ts';

/**
 * The payload of an entry. The kinds of which there is one or more for each statement are written here field by field, in a fraction of
 * the time that going through the table takes; `fields.ts` says what they are, and a test holds the two against each other.
 */
export function payloadBytes(body: EntryBody): number {
  switch (body.kind) {
    case 'statement':
      return statementBytes(body);
    case 'outcome':
      return outcomeBytes(body);
    case 'data':
      return u64FieldBytes + fieldHeadBytes + body.bytes.length;
    default:
      return fieldsBytes(fieldsOf(body.kind), body);
  }
}

/** Writes it at `at`, returns its end. There must be room for `payloadBytes`. */
export function writePayload(body: EntryBody, to: Buffer, at: number): number {
  switch (body.kind) {
    case 'statement':
      return writeStatement(body, to, at);
    case 'outcome':
      return writeOutcome(body, to, at);
    case 'data':
      return writeData(body, to, at);
    default:
      return writeFields(fieldsOf(body.kind), body, to, at);
  }
}

const u64FieldBytes = fieldHeadBytes + 8;
const boolFieldBytes = fieldHeadBytes + 1;

function statementBytes(body: StatementEvent): number {
  return (
    bytesOf(body.text, bytes) +
    bytesOf(body.verb, utf8) +
    boolFieldBytes +
    (body.of === undefined ? 0 : u64FieldBytes) +
    bytesOf(body.statementName, bytes) +
    bytesOf(body.portalName, bytes) +
    bytesOf(body.parameterTypes, i64List) +
    bytesOf(body.parameters, parameters) +
    bytesOf(body.resultFormats, i64List) +
    bytesOf(body.rowLimit, i64) +
    bytesOf(body.arguments, bytesList) +
    bytesOf(body.functionId, i64) +
    bytesOf(body.encoding, utf8) +
    (body.resolved === undefined ? 0 : boolFieldBytes) +
    bytesOf(body.redactions, utf8List) +
    bytesOf(body.class, utf8)
  );
}

function writeStatement(body: StatementEvent, to: Buffer, at: number): number {
  at = written(1, body.text, bytes, to, at);
  at = written(2, body.verb, utf8, to, at);
  at = writtenBool(3, body.expectsOutcome, to, at);
  at = writtenU64(4, body.of, to, at);
  at = written(5, body.statementName, bytes, to, at);
  at = written(6, body.portalName, bytes, to, at);
  at = written(7, body.parameterTypes, i64List, to, at);
  at = written(8, body.parameters, parameters, to, at);
  at = written(9, body.resultFormats, i64List, to, at);
  at = written(10, body.rowLimit, i64, to, at);
  at = written(11, body.arguments, bytesList, to, at);
  at = written(12, body.functionId, i64, to, at);
  at = written(13, body.encoding, utf8, to, at);
  at = writtenBool(14, body.resolved, to, at);
  at = written(15, body.redactions, utf8List, to, at);
  return written(16, body.class, utf8, to, at);
}

function outcomeBytes(body: OutcomeEvent): number {
  return (
    u64FieldBytes +
    bytesOf(body.status, utf8) +
    bytesOf(body.tag, utf8) +
    (body.rows === undefined ? 0 : u64FieldBytes) +
    bytesOf(body.errorCode, utf8) +
    bytesOf(body.errorMessage, utf8) +
    (body.durationMicros === undefined ? 0 : u64FieldBytes) +
    bytesOf(body.resultDigest, bytes) +
    (body.resultBytes === undefined ? 0 : u64FieldBytes) +
    (body.rowsKept === undefined ? 0 : u64FieldBytes)
  );
}

function writeOutcome(body: OutcomeEvent, to: Buffer, at: number): number {
  at = writtenU64(4, body.of, to, at);
  at = written(30, body.status, utf8, to, at);
  at = written(31, body.tag, utf8, to, at);
  at = writtenU64(32, body.rows, to, at);
  at = written(33, body.errorCode, utf8, to, at);
  at = written(34, body.errorMessage, utf8, to, at);
  at = writtenU64(35, body.durationMicros, to, at);
  at = written(36, body.resultDigest, bytes, to, at);
  at = writtenU64(37, body.resultBytes, to, at);
  return writtenU64(38, body.rowsKept, to, at);
}

function writeData(body: DataEvent, to: Buffer, at: number): number {
  return written(20, body.bytes, bytes, to, writtenU64(4, body.of, to, at));
}

const bytesOf = <Value>(value: Value | undefined, codec: FieldCodec<Value>): number =>
  value === undefined ? 0 : fieldHeadBytes + codec.bytes(value);

function written<Value>(
  tag: number,
  value: Value | undefined,
  codec: FieldCodec<Value>,
  to: Buffer,
  at: number,
): number {
  if (value === undefined) return at;
  const end = codec.write(value, to, at + fieldHeadBytes);
  writeU32(end - at - fieldHeadBytes, to, writeU16(tag, to, at));
  return end;
}

function writtenU64(tag: number, value: number | undefined, to: Buffer, at: number): number {
  if (value === undefined) return at;
  return writeU64(value, to, writeU32(8, to, writeU16(tag, to, at)));
}

function writtenBool(tag: number, value: boolean | undefined, to: Buffer, at: number): number {
  if (value === undefined) return at;
  const start = writeU32(1, to, writeU16(tag, to, at));
  to[start] = value ? 1 : 0;
  return start + 1;
}
