import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from '../../src/shared/duplex.ts';
import type { MuxLimits } from '../../src/tunnel/mux.ts';
import { connectInProcess } from '../../src/tunnel/in-process.ts';
import { acceptWebSocket, connectWebSocket, type Connection } from '../../src/tunnel/websocket.ts';

export interface Tunnel extends AsyncDisposable {
  /** The dialling side. */
  client: Connection;
  /** The side with the port. */
  server: Connection;
}

/** A tunnel over a real WebSocket on the loopback. */
export async function openTunnel(limits: Partial<MuxLimits> = {}): Promise<Tunnel & { url: string }> {
  const http = createServer();
  const accepted = new Promise<Connection>((resolve, reject) => {
    http.once('upgrade', (request, socket, head) => {
      acceptWebSocket(request, socket, head, { limits }).then(resolve, reject);
    });
  });
  const url = await listen(http);
  const client = await connectWebSocket(url, { limits });
  const server = await accepted;
  return {
    client,
    server,
    url,
    async [Symbol.asyncDispose]() {
      client.close('test over');
      server.close('test over');
      await Promise.all([client.closed, server.closed]);
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

/** The same two sides, of a link within this process. */
export async function openWithin(): Promise<Tunnel> {
  const { dialled: client, accepted: server } = connectInProcess();
  return {
    client,
    server,
    async [Symbol.asyncDispose]() {
      client.close('test over');
      await Promise.all([client.closed, server.closed]);
    },
  };
}

/** Listens on a free port of 127.0.0.1; the WebSocket address. */
export async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** A stream of this tunnel, both ends. */
export async function openStream(tunnel: Tunnel): Promise<[client: Duplex, server: Duplex]> {
  const client = tunnel.client.open();
  return [client, await tunnel.server.accept()];
}

export async function readAll(stream: Duplex): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for (let bytes = await stream.read(); bytes; bytes = await stream.read()) chunks.push(bytes);
  return Buffer.concat(chunks);
}

/** Reads exactly that many bytes; more is an error of the test. */
export async function readBytes(stream: Duplex, count: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  while (bytes < count) {
    const chunk = await stream.read();
    if (!chunk) throw new Error(`the stream ended after ${bytes} of ${count} bytes`);
    chunks.push(chunk);
    bytes += chunk.length;
  }
  return Buffer.concat(chunks);
}
