import type { IncomingMessage, RequestListener, Server } from 'node:http';
import type { Socket } from 'node:net';
import fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import { apiPrefix, oidcPath } from '../shared/api.ts';
import { systemClock, type Clock } from '../shared/clock.ts';
import { limits } from '../shared/limits.ts';
import { silentLog, type Log } from '../shared/log.ts';
import { version } from '../shared/version.ts';
import type { Registry } from '../store/registry.ts';
import { sendApiError } from './api/api-error.ts';
import type { ApiPorts } from './api/ports.ts';
import { openApiDocument } from './api/openapi.ts';
import { registerApi, unknownRoute } from './api/routes.ts';
import type { Identity } from './identity/identity.ts';
import { registerProvider } from './identity/mount-provider.ts';
import { registerPages } from './identity/pages/routes.ts';
import type { Principal } from './identity/principal.ts';
import type { Cosigning } from './cosigning.ts';
import { registerLog } from './log-routes.ts';
import type { TransparencyLog } from './log.ts';

export interface HttpParts {
  /** Listening already, so that the public address is known; made by `listenHttp`. */
  server: Server;
  identity: Identity;
  registry: Registry;
  ports: ApiPorts;
  /** Served under `/log/`. */
  transparency?: TransparencyLog;
  /** Who cosigns it. */
  cosigning?: Cosigning;
  /** X-Forwarded-* of loopback and private addresses is believed. */
  behindProxy: boolean;
  clock?: Clock;
  log?: Log;
}

export interface Http {
  /** Who asks for a WebSocket. Throws HOOP_SIGN_IN. */
  authenticateUpgrade(request: IncomingMessage): Promise<Principal>;
  /** Stops answering; open requests are finished. The server itself is closed too. */
  close(): Promise<void>;
}

/** Everything that the gateway says over HTTP; upgrades are left to the server's `upgrade` event. */
export async function createHttp(parts: HttpParts): Promise<Http> {
  const { server, identity, registry, clock = systemClock, log = silentLog } = parts;
  const ports = { recordAct: logAct(log), ...parts.ports };
  const sockets = trackSockets(server);
  let answer: RequestListener | undefined;
  const app: FastifyInstance = fastify({
    serverFactory: (handle) => {
      answer = handle;
      return server;
    },
    trustProxy: parts.behindProxy ? ['loopback', 'linklocal', 'uniquelocal'] : false,
    bodyLimit: limits.requestBytesMax,
    loggerInstance: fastifyLogger(log),
    logController: new LogController({ disableRequestLogging: true }),
    routerOptions: { maxParamLength: 200 },
    return503OnClosing: true,
  });
  securityHeaders(app, identity.publicUrl.startsWith('https:'));
  app.setErrorHandler(sendApiError);
  app.setNotFoundHandler((request, reply) => sendApiError(unknownRoute(), request, reply));
  // `gateway`: the one address that tokens and proofs are made for, whatever name it was reached by.
  app.get('/healthz', async () => ({
    status: 'ok',
    version,
    gateway: identity.publicUrl,
    ...(parts.cosigning && { log: logStanding(parts.cosigning) }),
  }));
  app.get('/', async (_request, reply) => reply.redirect(`${oidcPath}/device`));
  await app.register(async (scope) => registerPages(scope, { identity, registry }));
  await app.register(async (scope) => registerProvider(scope, identity), { prefix: oidcPath });
  const { transparency, cosigning } = parts;
  if (transparency)
    await app.register(async (scope) => registerLog(scope, transparency, cosigning), { prefix: '/log' });
  app.get(`${apiPrefix}/openapi.json`, async () => openApiDocument());
  await app.register(async (scope) => registerApi(scope, { registry, identity, ports, clock }), { prefix: apiPrefix });
  await app.ready();
  server.on('request', answer!);
  return {
    authenticateUpgrade: (request) =>
      identity.authenticate({
        method: 'GET',
        url: identity.publicUrl + (request.url ?? '/'),
        authorization: request.headers.authorization,
        proof: typeof request.headers['dpop'] === 'string' ? request.headers['dpop'] : undefined,
      }),
    close: async () => {
      identity.close();
      await app.close();
      await closeServer(server, sockets);
    },
  };
}

/** An agent that refuses to cosign is for whoever watches the gateway: its log is not the one that was there. */
const logStanding = ({ standings }: Cosigning) => ({
  cosigning: standings.filter(({ declined }) => declined === undefined).length,
  declined: standings.filter(({ declined }) => declined !== undefined).length,
});

/** Administrative acts are at least in the gateway's log. */
const logAct =
  (log: Log): NonNullable<ApiPorts['recordAct']> =>
  ({ act, by, subject }) =>
    log.info({ act, by: by.user, ...subject }, 'administrative act');

function trackSockets(server: Server): Set<Socket> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return sockets;
}

/** A WebSocket whose other side is gone would hold the server for ever. */
async function closeServer(server: Server, sockets: Set<Socket>): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => sockets.forEach((socket) => socket.destroy()), limits.closingMillisMax);
  await closed;
  clearTimeout(timer);
}

function securityHeaders(app: FastifyInstance, isHttps: boolean): void {
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('x-content-type-options', 'nosniff');
    if (isHttps) reply.header('strict-transport-security', 'max-age=31536000');
  });
}

/** Fastify's logger interface over ours: requests are not logged, only what fails. */
function fastifyLogger(log: Log): FastifyBaseLogger {
  const nothing = () => undefined;
  const say = (level: 'info' | 'warn' | 'error') => (fields: unknown, message?: string) =>
    typeof fields === 'string' ? log[level]({}, fields) : log[level](fields as object, message ?? '');
  const logger = {
    level: 'info',
    silent: nothing,
    trace: nothing,
    debug: nothing,
    info: say('info'),
    warn: say('warn'),
    error: say('error'),
    fatal: say('error'),
    child: () => logger,
  };
  return logger;
}
