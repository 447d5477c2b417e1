/**
 * The chain without what it is for: client, gateway and agent that carry bytes over the same tunnel and decode, record and check
 * nothing. It shows what the wire costs. A program of the benchmarks alone: no gateway that serves contains it.
 *
 *   bytes-only gateway | agent URL HOST PORT | client URL
 *
 * Each prints one line when it is ready: its address or its port.
 */
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { pump } from '../src/shared/pump.ts';
import { socketDuplex } from '../src/shared/socket-duplex.ts';
import { acceptWebSocket, connectWebSocket, type Connection } from '../src/tunnel/websocket.ts';

const [role, url = '', host = '', port = ''] = process.argv.slice(2);
const limits = { streamsMax: 2048 };

function gateway(): void {
  let agent: Connection | undefined;
  const server = createHttpServer();
  server.on('upgrade', (request, socket, head) => {
    void acceptWebSocket(request, socket, head, { limits }).then((connection) => {
      if (request.url === '/agent') agent = connection;
      else connection.onStream = (stream) => void pump(stream, agent!.open());
    });
  });
  server.listen(0, '127.0.0.1', () => console.log(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`));
}

async function agent(): Promise<void> {
  const link = await connectWebSocket(`${url}/agent`, { limits });
  link.onStream = (stream) =>
    void pump(stream, withoutDelay(connect({ host, port: Number(port), allowHalfOpen: true })));
  console.log('linked');
}

async function client(): Promise<void> {
  const tunnel = await connectWebSocket(url, { limits });
  const server = createServer({ allowHalfOpen: true }, (socket) => void pump(withoutDelay(socket), tunnel.open()));
  server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
}

function withoutDelay(socket: Socket) {
  socket.setNoDelay(true);
  return socketDuplex(socket);
}

if (role === 'gateway') gateway();
else await (role === 'agent' ? agent() : client());
