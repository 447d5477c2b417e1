/**
 * The chain without what it is for: client, gateway and agent that carry bytes over the same tunnel and decode, record and check
 * nothing. It shows what the wire costs. A program of the benchmarks alone: no gateway that serves contains it.
 *
 *   bytes-only gateway [FILE] | agent URL HOST PORT | client URL
 *
 * Each prints one line when it is ready: its address or its port. With a file the gateway keeps the least record there that is durable before
 * anything is forwarded: what that costs by itself.
 */
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type AddressInfo } from 'node:net';
import type { Duplex } from '../src/shared/duplex.ts';
import { pump } from '../src/shared/pump.ts';
import { ReadBuffer } from '../src/shared/read-buffer.ts';
import { socketDuplex } from '../src/shared/socket-duplex.ts';
import { acceptWebSocket, connectWebSocket, type Connection } from '../src/tunnel/websocket.ts';
import { LeastRecord, RecordedStream } from './least-record.ts';

const [role, ...args] = process.argv.slice(2);
const limits = { streamsMax: 2048 };

function gateway(file?: string): void {
  let agent: Connection | undefined;
  const record = file === undefined ? undefined : new LeastRecord(file);
  const carry = (stream: Duplex, dialled: Duplex) =>
    record
      ? pump(new RecordedStream(stream, record, true), new RecordedStream(dialled, record, false))
      : pump(stream, dialled);
  const server = createHttpServer();
  server.on('upgrade', (request, socket, head) => {
    void acceptWebSocket(request, socket, head, { limits }).then((connection) => {
      if (request.url === '/agent') agent = connection;
      else connection.onStream = (stream) => void carry(stream, agent!.open());
    });
  });
  server.listen(0, '127.0.0.1', () => console.log(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`));
}

async function agent(url = '', host = '', port = ''): Promise<void> {
  const link = await connectWebSocket(`${url}/agent`, { limits });
  link.onStream = (stream) => {
    const reads = new ReadBuffer();
    const socket = connect({ host, port: Number(port), allowHalfOpen: true, noDelay: true, onread: reads.onread });
    void pump(stream, socketDuplex(socket, reads));
  };
  console.log('linked');
}

async function client(url = ''): Promise<void> {
  const tunnel = await connectWebSocket(url, { limits });
  const server = createServer(
    { allowHalfOpen: true, noDelay: true },
    (socket) => void pump(socketDuplex(socket), tunnel.open()),
  );
  server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
}

if (role === 'gateway') gateway(...args);
else await (role === 'agent' ? agent(...args) : client(...args));
