/**
 * Redis, RESP2 and RESP3: https://redis.io/docs/latest/develop/reference/protocol-spec/
 *
 * Decoded: commands (arrays of bulk strings), pipelines, transactions, subscriptions and pushes, blocking commands, scripts and
 * functions with what their names stand for. Refused: inline commands, replication, MONITOR, what administers the server, and commands
 * that hoop does not know. docs/protocols/redis.md has the table.
 */
import type { ConnectInfo, LocalEndpoint, Protocol } from '../protocol.ts';
import { backend } from './backend.ts';
import { classify } from './classify.ts';
import { createDecoder } from './decoder.ts';
import { encodeStatement } from './encode-statement.ts';
import { frontend } from './frontend.ts';
import { encodeError } from './messages.ts';
import { renderCommand } from './render.ts';

export const redis: Protocol = {
  name: 'redis',
  defaultPort: 6379,
  defaultDatabase: () => '0',
  frontend,
  backend,
  createDecoder,
  socketName,
  connectInfo,
  classify,
  renderParameter: (_type, _format, value) => renderCommand([value]),
  renderCommand,
  again: { encode: encodeStatement },
  fatal: (_code, message) => encodeError('ERR', message),
};

function socketName(port: number): string {
  return `redis.${port}.sock`;
}

/** REDISCLI_AUTH is what redis-cli reads, so that the password need not be in its arguments. Without an address it would go to port 6379. */
function connectInfo({ host, port, user, password, database }: LocalEndpoint): ConnectInfo {
  const login = `${encodeURIComponent(user)}:${encodeURIComponent(password)}`;
  const isSocket = host.startsWith('/');
  const path = `${host}/${socketName(port)}`;
  const dsn = isSocket
    ? `unix://${login}@${encodeURI(path)}?db=${database}`
    : `redis://${login}@${host}:${port}/${database}`;
  const address = [...(isSocket ? ['-s', path] : ['-h', host, '-p', String(port)]), '--user', user];
  return {
    dsn,
    environment: {
      REDIS_URL: dsn,
      ...(isSocket ? { REDIS_SOCKET: path } : { REDIS_HOST: host, REDIS_PORT: String(port) }),
      REDIS_USERNAME: user,
      REDIS_PASSWORD: password,
      REDISCLI_AUTH: password,
    },
    programArguments: { 'redis-cli': address, 'valkey-cli': address },
  };
}
