import { assert } from '../shared/errors.ts';
import type { EntryKind } from './entry.ts';
import { fieldCodecs, writeU16, writeU32, type FieldType } from './field-codecs.ts';

/**
 * The one table of payload fields: tag, name (the property of the event or entry body) and type. A payload is its fields in
 * ascending order of tags, each `tag u16 ‖ length u32 ‖ value`, each at most once; a property that is absent (or null) has no field.
 * docs/recording-format.md repeats this table and a test compares the two. Tags are never reused.
 */
export interface Field {
  tag: number;
  name: string;
  type: FieldType;
  /** Absent is read as null instead of as a missing property. */
  nullable?: true;
  optional?: true;
}

const field = (tag: number, name: string, type: FieldType): Field => ({ tag, name, type });
const optional = (tag: number, name: string, type: FieldType): Field => ({ tag, name, type, optional: true });
const nullable = (tag: number, name: string, type: FieldType): Field => ({ tag, name, type, nullable: true });

export const fieldTable: Record<EntryKind, readonly Field[]> = {
  genesis: [
    field(70, 'sessionId', 'bytes'),
    field(71, 'gatewayVersion', 'utf8'),
    field(72, 'ordinal', 'u64'),
    field(73, 'agentOrdinal', 'u64'),
    field(74, 'logSize', 'u64'),
    field(75, 'gatewayKeyId', 'utf8'),
    field(76, 'principalSalt', 'bytes'),
    field(77, 'principalCommitment', 'bytes'),
    field(78, 'user', 'utf8'),
    nullable(79, 'actor', 'utf8'),
    field(80, 'actorInstance', 'utf8'),
    field(81, 'via', 'utf8'),
    field(82, 'resource', 'utf8'),
    field(83, 'protocol', 'utf8'),
    field(84, 'agent', 'utf8'),
    field(85, 'address', 'utf8'),
    nullable(86, 'database', 'utf8'),
    field(87, 'colocated', 'bool'),
    nullable(88, 'continues', 'utf8'),
    field(89, 'declared', 'utf8-map'),
    field(90, 'results', 'utf8'),
    optional(91, 'redact', 'utf8-list'),
    optional(92, 'terms', 'utf8-map'),
  ],
  'stream-open': [field(60, 'facts', 'utf8-map')],
  statement: [
    optional(1, 'text', 'bytes'),
    field(2, 'verb', 'utf8'),
    field(3, 'expectsOutcome', 'bool'),
    optional(4, 'of', 'u64'),
    optional(5, 'statementName', 'bytes'),
    optional(6, 'portalName', 'bytes'),
    optional(7, 'parameterTypes', 'i64-list'),
    optional(8, 'parameters', 'parameters'),
    optional(9, 'resultFormats', 'i64-list'),
    optional(10, 'rowLimit', 'i64'),
    optional(11, 'arguments', 'bytes-list'),
    optional(12, 'functionId', 'i64'),
    optional(13, 'encoding', 'utf8'),
    optional(14, 'resolved', 'bool'),
    optional(15, 'redactions', 'utf8-list'),
    optional(16, 'class', 'utf8'),
  ],
  data: [field(4, 'of', 'u64'), field(20, 'bytes', 'bytes')],
  rows: [field(4, 'of', 'u64'), field(21, 'messages', 'bytes'), field(22, 'messageBytes', 'u64')],
  outcome: [
    field(4, 'of', 'u64'),
    field(30, 'status', 'utf8'),
    optional(31, 'tag', 'utf8'),
    optional(32, 'rows', 'u64'),
    optional(33, 'errorCode', 'utf8'),
    optional(34, 'errorMessage', 'utf8'),
    optional(35, 'durationMicros', 'u64'),
    optional(36, 'resultDigest', 'bytes'),
    optional(37, 'resultBytes', 'u64'),
    optional(38, 'rowsKept', 'u64'),
  ],
  state: [field(40, 'name', 'utf8'), field(41, 'value', 'utf8')],
  refusal: [
    optional(1, 'text', 'bytes'),
    optional(4, 'of', 'u64'),
    field(50, 'reason', 'utf8'),
    field(51, 'message', 'utf8'),
  ],
  cancel: [optional(4, 'of', 'u64')],
  'stream-close': [field(50, 'reason', 'utf8')],
  note: [field(40, 'name', 'utf8'), field(60, 'facts', 'utf8-map')],
  interrupted: [field(61, 'lastDurable', 'u64')],
  /** Payloads of other kinds, each behind its head (event-group.ts). */
  group: [],
  seal: [
    field(50, 'reason', 'utf8'),
    field(62, 'entries', 'u64'),
    field(63, 'statements', 'u64'),
    field(64, 'errors', 'u64'),
    field(65, 'streams', 'u64'),
  ],
};

export const fieldsOf = (kind: EntryKind): readonly Field[] => fieldTable[kind];

export const fieldHeadBytes = 6;
type Properties = Record<string, unknown>;

export function fieldsBytes(fields: readonly Field[], body: object): number {
  let total = 0;
  for (const { name, type } of fields) {
    const value = (body as Properties)[name];
    if (value !== undefined && value !== null) total += fieldHeadBytes + fieldCodecs[type].bytes(value as never);
  }
  return total;
}

/** Writes the fields at `at`; returns the end. There must be room for `fieldsBytes`. */
export function writeFields(fields: readonly Field[], body: object, to: Buffer, at: number): number {
  for (const { tag, name, type, optional, nullable } of fields) {
    const value = (body as Properties)[name];
    if (value === undefined || value === null) {
      assert(optional || nullable, `the field ${name} is required`);
      continue;
    }
    writeU16(tag, to, at);
    const end = fieldCodecs[type].write(value as never, to, at + fieldHeadBytes);
    writeU32(end - at - fieldHeadBytes, to, at + 2);
    at = end;
  }
  return at;
}

export function encodeFields(fields: readonly Field[], body: object): Buffer {
  const buffer = Buffer.allocUnsafe(fieldsBytes(fields, body));
  writeFields(fields, body, buffer, 0);
  return buffer;
}

/** Reads a whole payload into properties. Throws (RangeError, TypeError) on anything that `writeFields` would not have written. */
export function readFields(fields: readonly Field[], payload: Buffer): Properties {
  const body: Properties = {};
  let at = 0;
  for (const { tag, name, type, optional, nullable } of fields) {
    const here = at + fieldHeadBytes <= payload.length && payload.readUInt16BE(at) === tag;
    if (!here) {
      if (!optional && !nullable) throw new RangeError(`the field ${name} (tag ${tag}) is missing`);
      if (nullable) body[name] = null;
      continue;
    }
    const start = at + fieldHeadBytes;
    const end = start + payload.readUInt32BE(at + 2);
    if (end > payload.length) throw new RangeError(`the field ${name} (tag ${tag}) is longer than its payload`);
    body[name] = fieldCodecs[type].read(payload.subarray(start, end));
    at = end;
  }
  if (at !== payload.length) throw new RangeError(`unknown, repeated or unordered field at byte ${at} of the payload`);
  return body;
}
