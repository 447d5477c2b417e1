import type { IncomingMessage, Server } from 'node:http';
import type { Duplex as Socket } from 'node:stream';
import { linkPath, tunnelPath, type ApiError } from '../shared/api.ts';
import { UserError } from '../shared/errors.ts';
import type { Log } from '../shared/log.ts';
import { acceptWebSocket } from '../tunnel/websocket.ts';
import type { AgentLinks } from './agent-links.ts';
import type { Http } from './http.ts';
import type { LiveSessions } from './live-sessions.ts';
import { serveTunnel } from './tunnels.ts';

interface UpgradeParts {
  server: Server;
  http: Http;
  agents: AgentLinks;
  sessions: LiveSessions;
  log: Log;
}

/** WebSockets: tunnels of clients (authenticated before the upgrade) and links of agents (authenticated by their key inside). */
export function serveUpgrades({ server, http, agents, sessions, log }: UpgradeParts): void {
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    const fail = (error: unknown) => refuseUpgrade(socket, error, log);
    socket.on('error', () => socket.destroy());
    const [pathname] = (request.url ?? '/').split('?', 1); // not `new URL`: it throws for `//`, and nobody would catch that here
    if (pathname === linkPath) {
      acceptWebSocket(request, socket, head).then((connection) => agents.accept(connection), fail);
    } else if (pathname === tunnelPath) {
      http
        .authenticateUpgrade(request)
        .then(async (principal) => serveTunnel(await acceptWebSocket(request, socket, head), principal, sessions, log))
        .catch(fail);
    } else {
      fail(new UserError('HOOP_NOT_FOUND', `there is no WebSocket at ${pathname}`));
    }
  });
}

/** The same error body as the API's, before any WebSocket exists. */
function refuseUpgrade(socket: Socket, error: unknown, log: Log): void {
  if (!(error instanceof UserError)) log.error({ error: String(error) }, 'an upgrade failed');
  const { code, message, next } =
    error instanceof UserError ? error : { code: 'HOOP_INTERNAL', message: 'the gateway failed', next: undefined };
  const status =
    code === 'HOOP_SIGN_IN' ? '401 Unauthorized' : code === 'HOOP_NOT_FOUND' ? '404 Not Found' : '400 Bad Request';
  const body = JSON.stringify({ error: { code, message, ...(next === undefined ? {} : { next }) } } satisfies ApiError);
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
