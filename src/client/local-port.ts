import { createServer, type Server, type Socket } from 'node:net';
import type { LocalProtocol } from '../protocol/protocol.ts';
import type { Duplex } from '../shared/duplex.ts';
import { UserError } from '../shared/errors.ts';
import { limits } from '../shared/limits.ts';
import { socketDuplex } from '../shared/socket-duplex.ts';
import { openLocally } from './local-opening.ts';
import { identifyPeer, type Evidence } from './peer-process.ts';
import { portOwner } from './port-owner.ts';
import { listenOnPath } from './socket-path.ts';

export interface LocalPortOptions {
  /** A free one is chosen where none is given. */
  port?: number;
  /** The protocol's, as soon as it is known; without it all bytes are passed on as they are. */
  opening?: () => Promise<LocalProtocol['opening']>;
  /** A program of this user connected. */
  onConnection: (duplex: Duplex, evidence: Evidence) => void;
  /** A process of another user connected and was turned away. */
  onForeign?: (uid: number) => void;
}

export interface LocalPort {
  readonly host: string;
  readonly port: number;
  /** Listens on a unix socket too, in a folder that only this user can enter. Throws UserError. */
  listenAt(socketPath: string): Promise<void>;
  /** Takes no more connections; those that stand end with their streams, or a moment later. */
  close(): void;
}

/** Literally: `localhost` may be another address, and any other is reachable from outside. */
const host = '127.0.0.1';
const lingerMillis = 2_000;
const randomPortTries = 10;

/** Opens the port that client programs use. Throws UserError HOOP_PORT_TAKEN, which names the owner. */
export async function openLocalPort(options: LocalPortOptions): Promise<LocalPort> {
  const sockets = new Set<Socket>();
  const make = () => createLocalServer(options, sockets);
  const tcp = await listenOnPort(make, options.port);
  const servers = [tcp];
  return {
    host,
    port: portOf(tcp),
    async listenAt(socketPath) {
      servers.push(await listenOnPath(make(), socketPath));
    },
    close() {
      for (const server of servers) server.close();
      const linger = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, lingerMillis);
      linger.unref();
    },
  };
}

function createLocalServer(options: LocalPortOptions, sockets: Set<Socket>): Server {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined); // the end that follows says it too
    socket.once('close', () => sockets.delete(socket));
    serve(socket, options).catch(() => socket.destroy()); // it went, or is no client of this protocol
  });
  // A little more than a session carries: the gateway says no in the client program's own protocol, and records it.
  server.maxConnections = limits.streamsPerSessionMax + limits.streamsRefusedMax;
  return server;
}

async function serve(socket: Socket, { onConnection, onForeign, opening }: LocalPortOptions): Promise<void> {
  const peer = await admit(socket);
  if (peer.kind === 'foreign') {
    socketDuplex(socket).reset('not this user’s');
    return onForeign?.(peer.uid);
  }
  const read = await opening?.();
  const { duplex, isParting } = read
    ? await openLocally(socket, read)
    : { duplex: socketDuplex(socket), isParting: false };
  if (peer.kind === 'admitted') return onConnection(duplex, peer.evidence);
  // Whose it was cannot be known any more. It may still cancel: that takes a secret of a stream, and asks for no answer.
  if (isParting) onConnection(duplex, {});
  else duplex.reset('gone');
}

async function admit(socket: Socket) {
  const { localAddress, localPort, remoteAddress, remotePort } = socket;
  if (
    localAddress === undefined ||
    localPort === undefined ||
    remoteAddress === undefined ||
    remotePort === undefined
  ) {
    // A unix socket: its folder let nobody else in, and Node cannot ask the kernel who it is.
    return { kind: 'admitted', evidence: {} } as const;
  }
  return identifyPeer({ address: localAddress, port: localPort }, { address: remoteAddress, port: remotePort });
}

async function listenOnPort(make: () => Server, port: number | undefined): Promise<Server> {
  for (let tries = 1; ; tries++) {
    const server = make();
    await listen(server, host, port ?? 0).catch(async (error: NodeJS.ErrnoException) => {
      throw await notListening(error, port ?? 0);
    });
    if (await neighbourIsFree(portOf(server))) return server;
    const taken = portOf(server);
    server.close();
    if (port !== undefined || tries === randomPortTries) throw await portTaken(taken, `[::1]:${taken}`);
  }
}

/**
 * `localhost` means [::1] to many programs: somebody else's listener there would get what is meant for us. True when the port is free
 * there, or when this machine has no IPv6.
 */
async function neighbourIsFree(port: number): Promise<boolean> {
  const probe = createServer();
  try {
    await listen(probe, '::1', port);
    await new Promise((resolve) => probe.close(resolve));
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'EADDRINUSE';
  }
}

function listen(server: Server, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: address, port, exclusive: true, ipv6Only: true }, () => {
      server.off('error', reject);
      server.on('error', () => undefined); // one connection that could not be accepted (no descriptors left) is not the end of the port
      resolve();
    });
  });
}

async function notListening(error: NodeJS.ErrnoException, port: number): Promise<UserError> {
  if (error.code === 'EADDRINUSE') return portTaken(port, `${host}:${port}`);
  if (error.code === 'EACCES') {
    return new UserError('HOOP_USAGE', `port ${port} needs more rights than this user has`, {
      next: 'choose one above 1023 with --port',
    });
  }
  return new UserError('HOOP_PORT_TAKEN', `${host}:${port} cannot be opened: ${error.message}`, {
    next: 'choose another port with --port',
    cause: error,
  });
}

async function portTaken(port: number, address: string): Promise<UserError> {
  const owner = await portOwner(port);
  return new UserError('HOOP_PORT_TAKEN', `${address} belongs to ${owner ?? 'another process'}`, {
    next: 'stop that process, or choose another port with --port',
  });
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
