import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import type { Duplex } from '../../src/shared/duplex.ts';
import { socketDuplex } from '../../src/shared/socket-duplex.ts';

export interface Listening {
  port: number;
  close(): Promise<void>;
}

/** A server on loopback whose connections are Duplexes; a connection whose work is done (or failed) is closed. */
export async function listen(serve: (duplex: Duplex) => Promise<void>): Promise<Listening> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    const duplex = socketDuplex(socket);
    serve(duplex).then(
      () => duplex.end(),
      (error: unknown) => duplex.reset(String(error)),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

export async function dialTcp(port: number): Promise<Duplex> {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true });
  await once(socket, 'connect');
  return socketDuplex(socket);
}
