/**
 * Redis, RESP2 and RESP3: https://redis.io/docs/latest/develop/reference/protocol-spec/
 *
 * Decoded: commands (arrays of bulk strings), pipelines, transactions, subscriptions and pushes, blocking commands, scripts and
 * functions with what their names stand for. Refused: inline commands, replication, MONITOR, what administers the server, and commands
 * that hoop does not know. docs/protocols/redis.md has the table.
 */
import type { Protocol } from '../protocol.ts';
import { backend } from './backend.ts';
import { classify } from './classify.ts';
import { createDecoder } from './decoder.ts';
import { encodeStatement } from './encode-statement.ts';
import { redisLocal } from './local.ts';
import { encodeError } from './messages.ts';
import { renderCommand } from './render.ts';

export const redis: Protocol = {
  ...redisLocal,
  defaultPort: 6379,
  defaultDatabase: () => '0',
  backend,
  createDecoder,
  classify,
  renderParameter: (_type, _format, value) => renderCommand([value]),
  renderCommand,
  again: { encode: encodeStatement },
  fatal: (_code, message) => encodeError('ERR', message),
};
