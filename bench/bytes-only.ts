/**
 * The chain without what it is for: client, gateway and agent that carry bytes over the same tunnel and decode, record and check
 * nothing. It shows what the wire costs. A program of the benchmarks alone: no gateway that serves contains it.
 *
 *   bytes-only gateway [KEY CERT] | agent URL HOST PORT [CA] | client URL [CA]
 *
 * Each prints one line when it is ready: its address or its port. With a key and a certificate (files) the tunnel runs in TLS.
 */
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, createServer, type AddressInfo } from 'node:net';
import { pump } from '../src/shared/pump.ts';
import { ReadBuffer } from '../src/shared/read-buffer.ts';
import { socketDuplex } from '../src/shared/socket-duplex.ts';
import { acceptWebSocket, connectWebSocket, type Connection } from '../src/tunnel/websocket.ts';

const [role, ...args] = process.argv.slice(2);
const limits = { streamsMax: 2048 };

function gateway(key?: string, cert?: string): void {
  let agent: Connection | undefined;
  const tls = key !== undefined && cert !== undefined;
  const server = tls ? createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }) : createHttpServer();
  server.on('upgrade', (request, socket, head) => {
    void acceptWebSocket(request, socket, head, { limits }).then((connection) => {
      if (request.url === '/agent') agent = connection;
      else connection.onStream = (stream) => void pump(stream, agent!.open());
    });
  });
  const scheme = tls ? 'wss' : 'ws';
  server.listen(0, '127.0.0.1', () => console.log(`${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`));
}

async function agent(url = '', host = '', port = '', caFile?: string): Promise<void> {
  const link = await connectWebSocket(`${url}/agent`, { limits, ...(caFile === undefined ? {} : { caFile }) });
  link.onStream = (stream) => {
    const reads = new ReadBuffer();
    const socket = connect({ host, port: Number(port), allowHalfOpen: true, noDelay: true, onread: reads.onread });
    void pump(stream, socketDuplex(socket, reads));
  };
  console.log('linked');
}

async function client(url = '', caFile?: string): Promise<void> {
  const tunnel = await connectWebSocket(url, { limits, ...(caFile === undefined ? {} : { caFile }) });
  const server = createServer(
    { allowHalfOpen: true, noDelay: true },
    (socket) => void pump(socketDuplex(socket), tunnel.open()),
  );
  server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
}

if (role === 'gateway') gateway(...args);
else await (role === 'agent' ? agent(...args) : client(...args));
