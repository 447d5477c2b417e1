import { readFileSync } from 'node:fs';
import { createServer as createPlainServer, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex as Socket } from 'node:stream';
import type { ApiError } from '../shared/api.ts';
import { UserError } from '../shared/errors.ts';
import { limits } from '../shared/limits.ts';

export interface ListenOptions {
  host: string;
  /** 0 takes a free one. */
  port: number;
  tlsCert?: string | undefined;
  tlsKey?: string | undefined;
}

export interface Listening {
  server: Server;
  port: number;
  /** As seen from this machine; `publicUrl` of the configuration comes first. */
  url: string;
}

const timeouts = {
  headersTimeout: limits.httpHeadersMillisMax,
  requestTimeout: limits.httpRequestMillisMax,
  keepAliveTimeout: limits.httpRequestMillisMax,
};

/** Binds the port first: with port 0, the address must be known before the OAuth server can say who it is. */
export async function listenHttp({ host, port, tlsCert, tlsKey }: ListenOptions): Promise<Listening> {
  const tls = tlsCert !== undefined && tlsKey !== undefined;
  const server = tls
    ? createTlsServer({
        ...timeouts,
        cert: readPem(tlsCert, 'tlsCert'),
        key: readPem(tlsKey, 'tlsKey'),
        minVersion: 'TLSv1.2',
      })
    : createPlainServer(timeouts);
  answerWhileStarting(server);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenFault(error, host, port)));
    server.listen({ host, port }, resolve);
  });
  const bound = (server.address() as AddressInfo).port;
  const shown = host.includes(':') ? `[${host}]` : host;
  return { server, port: bound, url: `${tls ? 'https' : 'http'}://${shown}:${bound}` };
}

/** Recovery may take a while: whoever comes meanwhile is told to try again, not left waiting. The first real listener takes over. */
function answerWhileStarting(server: Server): void {
  const body = JSON.stringify({ error: starting } satisfies ApiError);
  const head = {
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    'retry-after': '1',
    connection: 'close',
  };
  const answer = (_request: unknown, response: ServerResponse) => response.writeHead(503, head).end(body);
  const lines = Object.entries(head).map(([name, value]) => `${name}: ${value}\r\n`);
  const refuse = (_request: unknown, socket: Socket) => {
    socket.on('error', () => socket.destroy());
    socket.end(`HTTP/1.1 503 Service Unavailable\r\n${lines.join('')}\r\n${body}`);
  };
  const handOver = (event: string | symbol) => {
    if (event === 'request') server.off('request', answer);
    if (event === 'upgrade') server.off('upgrade', refuse);
  };
  server.on('request', answer).on('upgrade', refuse).on('newListener', handOver);
}

const starting = {
  code: 'HOOP_GATEWAY_UNREACHABLE',
  message: 'the gateway is starting: it reads what the last run left',
  next: 'try again in a moment',
} as const;

function readPem(path: string, key: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new UserError('HOOP_CONFIG', `${key}: cannot read ${path}`, {
      next: 'check the path and who may read it',
      cause,
    });
  }
}

function listenFault(error: NodeJS.ErrnoException, host: string, port: number): Error {
  if (error.code === 'EADDRINUSE') {
    return new UserError('HOOP_PORT_TAKEN', `${host}:${port} belongs to another process`, {
      next: 'end it, or choose another address with --listen',
      cause: error,
    });
  }
  return new UserError('HOOP_CONFIG', `listen: cannot listen on ${host}:${port} (${error.code})`, {
    next: 'choose another address with --listen',
    cause: error,
  });
}
