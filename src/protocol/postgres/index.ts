/**
 * PostgreSQL, frontend/backend protocol 3.0 and 3.2: https://www.postgresql.org/docs/current/protocol.html
 *
 * Decoded: simple and extended query, COPY in and out, FunctionCall, cancel, notifications, errors, pipelines. Refused: replication and
 * CopyBoth, encryption inside the stream, unknown messages and settings. docs/protocols/postgres.md has the table.
 */
import type { ConnectInfo, LocalEndpoint, Protocol } from '../protocol.ts';
import { backend } from './backend.ts';
import { classify } from './classify.ts';
import { createDecoder } from './decoder.ts';
import { encodeFailure, encodeFlush, encodeStatement } from './encode-statement.ts';
import { frontend } from './frontend.ts';
import { grammar } from './grammar.ts';
import { encodeErrorResponse } from './messages.ts';
import { opening } from './opening.ts';
import { renderResult } from './render-result.ts';
import { renderParameter } from './render.ts';
import { sqlStateOf } from './sql-state.ts';

export const postgres: Protocol = {
  name: 'postgres',
  defaultPort: 5432,
  defaultDatabase: (resource) => resource,
  frontend,
  backend,
  load: () => grammar.load(),
  createDecoder,
  opening,
  socketName: (port) => `.s.PGSQL.${port}`, // what libpq looks for in a folder
  connectInfo,
  classify,
  renderParameter,
  renderResult,
  again: { encode: encodeStatement, flush: encodeFlush, failure: encodeFailure },
  fatal: (code, message) => encodeErrorResponse({ severity: 'FATAL', code: sqlStateOf(code), message }),
};

/** Only variables that no driver chokes on: with PGREQUIREAUTH or PGGSSENCMODE in its environment Go's lib/pq refuses to connect. */
function connectInfo({ host, port, user, password, database }: LocalEndpoint): ConnectInfo {
  const encode = encodeURIComponent;
  // Drivers differ in what they decode of a path; what need not be encoded there is not.
  const path = encodeURI(database).replaceAll('?', '%3F').replaceAll('#', '%23');
  const who = `${encode(user)}:${encode(password)}`;
  const dsn = host.startsWith('/')
    ? `postgresql://${who}@/${path}?host=${encode(host)}&port=${port}`
    : `postgresql://${who}@${host}:${port}/${path}`;
  return {
    dsn,
    environment: {
      PGHOST: host,
      PGPORT: String(port),
      PGUSER: user,
      PGPASSWORD: password,
      PGDATABASE: database,
      PGSSLMODE: 'disable', // with anything else the pg driver insists on a certificate that it can verify
      DATABASE_URL: dsn,
    },
  };
}
