import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { ReadBuffer } from '../../src/shared/read-buffer.ts';
import { socketDuplex, type SocketDuplex } from '../../src/shared/socket-duplex.ts';
import { readAll } from '../support/tunnel.ts';

const MiB = 1024 * 1024;

/** Sockets that were dialled, and the server's ends of them. */
async function dialled(count: number): Promise<{ duplexes: SocketDuplex[]; peers: Socket[]; stop: () => void }> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const duplexes: SocketDuplex[] = [];
  const peers: Socket[] = [];
  while (duplexes.length < count) {
    const reads = new ReadBuffer();
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, onread: reads.onread });
    duplexes.push(socketDuplex(socket, reads));
    const [peer] = (await once(server, 'connection')) as [Socket];
    peers.push(peer.on('error', () => undefined)); // the resets at the end
  }
  const stop = () => {
    for (const duplex of duplexes) duplex.reset('test over');
    server.close();
  };
  return { duplexes, peers, stop };
}

test('what was read stays what it was, though all sockets read into one buffer', async () => {
  const { duplexes, peers, stop } = await dialled(3);
  const read: { bytes: Uint8Array; text: string }[] = [];
  for (let round = 0; round < 5; round++) {
    for (const [index, peer] of peers.entries()) {
      const text = `${round} of ${index}`;
      peer.write(text);
      read.push({ bytes: (await duplexes[index]!.read())!, text });
    }
  }
  for (const { bytes, text } of read) expect(Buffer.from(bytes).toString()).toBe(text);
  stop();
});

test('much from several sockets at once, small pieces between: every byte, in order', async () => {
  const { duplexes, peers, stop } = await dialled(3);
  const sent = peers.map((_, index) =>
    Buffer.from(Uint8Array.from({ length: 3 * MiB }, (__, at) => (at * (index + 3) + (at >> 8)) % 251)),
  );
  for (const [index, peer] of peers.entries()) {
    peer.write(sent[index]!.subarray(0, 10));
    peer.write(sent[index]!.subarray(10, 2 * MiB));
    peer.write(sent[index]!.subarray(2 * MiB, 2 * MiB + 5));
    peer.end(sent[index]!.subarray(2 * MiB + 5));
  }
  const received = await Promise.all(duplexes.map(readAll));
  expect(received.map((bytes, index) => bytes.equals(sent[index]!))).toEqual([true, true, true]);
  stop();
});

test('a reader that stops stops the sender, and goes on', async () => {
  const { duplexes, peers, stop } = await dialled(1);
  const size = 64 * MiB;
  peers[0]!.end(Buffer.alloc(size, 5));
  let received = (await duplexes[0]!.read())!.length;
  for (let turn = 0; turn < 500; turn++) await new Promise((resolve) => setImmediate(resolve)); // time to read on, if it did
  expect(peers[0]!.writableLength).toBeGreaterThan(size / 2);
  for (let bytes = await duplexes[0]!.read(); bytes; bytes = await duplexes[0]!.read()) received += bytes.length;
  expect(received).toBe(size);
  stop();
});

test('detached, nothing that came is lost', async () => {
  const { duplexes, peers, stop } = await dialled(1);
  peers[0]!.write('first');
  expect(Buffer.from((await duplexes[0]!.read())!).toString()).toBe('first');
  const more = duplexes[0]!.read();
  peers[0]!.write('second');
  expect(Buffer.from((await more)!).toString()).toBe('second');
  expect(duplexes[0]!.detach()).toHaveLength(0);
  stop();
});
