/**
 * PostgreSQL, frontend/backend protocol 3.0 and 3.2: https://www.postgresql.org/docs/current/protocol.html
 *
 * Decoded: simple and extended query, COPY in and out, FunctionCall, cancel, notifications, errors, pipelines. Refused: replication and
 * CopyBoth, encryption inside the stream, unknown messages and settings. docs/protocols/postgres.md has the table.
 */
import type { Protocol } from '../protocol.ts';
import { backend } from './backend.ts';
import { classify } from './classify.ts';
import { createDecoder } from './decoder.ts';
import { encodeFailure, encodeFlush, encodeStatement } from './encode-statement.ts';
import { grammar } from './grammar.ts';
import { postgresLocal } from './local.ts';
import { encodeErrorResponse } from './messages.ts';
import { renderResult } from './render-result.ts';
import { renderParameter } from './render.ts';
import { sqlStateOf } from './sql-state.ts';

export const postgres: Protocol = {
  ...postgresLocal,
  defaultPort: 5432,
  defaultDatabase: (resource) => resource,
  backend,
  load: () => grammar.load(),
  createDecoder,
  classify,
  renderParameter,
  renderResult,
  again: { encode: encodeStatement, flush: encodeFlush, failure: encodeFailure },
  fatal: (code, message) => encodeErrorResponse({ severity: 'FATAL', code: sqlStateOf(code), message }),
};
