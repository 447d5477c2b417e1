import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { Duplex as NodeDuplex } from 'node:stream';
import { expect, test } from 'vitest';
import { StreamReset } from '../../src/shared/duplex.ts';
import { socketDuplex } from '../../src/shared/socket-duplex.ts';
import { readAll, readBytes } from '../support/tunnel.ts';

const MiB = 1024 * 1024;

async function socketPair(): Promise<[near: Socket, far: Socket, stop: () => void]> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
  const [far] = (await once(server, 'connection')) as [Socket];
  return [
    near,
    far,
    () => {
      near.destroy();
      far.destroy();
      server.close();
    },
  ];
}

test('half-close: one side has said all, the other still answers', async () => {
  const [near, far, stop] = await socketPair();
  const [one, two] = [socketDuplex(near), socketDuplex(far)];
  await one.write(Buffer.from('question'));
  one.end();
  expect((await readAll(two)).toString()).toBe('question');
  await two.write(Buffer.from('answer'));
  two.end();
  expect((await readAll(one)).toString()).toBe('answer');
  expect(await one.read()).toBeNull();
  await Promise.all([one.closed, two.closed]);
  stop();
});

test('of what is written in one turn the first goes at once, and the rest together', async () => {
  const calls: string[] = [];
  const pipe = new NodeDuplex({
    read: () => undefined,
    write: (bytes: Buffer, _encoding, done) => {
      calls.push(bytes.toString());
      done();
    },
    writev: (pieces, done) => {
      calls.push(Buffer.concat(pieces.map(({ chunk }: { chunk: Buffer }) => chunk)).toString());
      done();
    },
  });
  const duplex = socketDuplex(pipe);
  for (const text of ['a', 'b', 'c', 'd']) await duplex.write(Buffer.from(text));
  expect(calls).toEqual(['a']);
  await new Promise(setImmediate);
  expect(calls).toEqual(['a', 'bcd']);
  await duplex.write(Buffer.from('e'));
  expect(calls).toEqual(['a', 'bcd', 'e']);
  void duplex.write(Buffer.from('f'));
  duplex.detach();
  expect(calls).toEqual(['a', 'bcd', 'e', 'f']);
});

test('a reset rejects reads and writes of both sides', async () => {
  const [near, far, stop] = await socketPair();
  const [one, two] = [socketDuplex(near), socketDuplex(far)];
  const reading = two.read();
  one.reset('enough');
  await expect(reading).rejects.toThrow(StreamReset);
  await expect(one.read()).rejects.toThrow('enough');
  await expect(two.write(Buffer.from('x'))).rejects.toThrow(StreamReset);
  await Promise.all([one.closed, two.closed]);
  stop();
});

test('a reader that stops stops the sender; little is held on this side', async () => {
  const [near, far, stop] = await socketPair();
  const [one, two] = [socketDuplex(near), socketDuplex(far)];
  const size = 64 * MiB;
  const writing = one.write(Buffer.alloc(size)).then(() => 'written');
  await two.read();
  for (let turn = 0; turn < 500; turn++) await new Promise((resolve) => setImmediate(resolve)); // time to read on, if it did
  expect(near.writableLength).toBeGreaterThan(size / 2);
  expect(far.readableLength).toBeLessThan(MiB);
  await readBytes(two, 32 * MiB);
  one.reset('seen enough');
  await expect(writing).rejects.toThrow('seen enough');
  stop();
});

test('detached, the socket is free and nothing that came is lost', async () => {
  const [near, far, stop] = await socketPair();
  const duplex = socketDuplex(far);
  near.write('first');
  const read = await duplex.read();
  expect(Buffer.from(read!).toString()).toBe('first');
  near.write('second');
  await once(far, 'data');
  expect(Buffer.from(duplex.detach()).toString()).toBe('second');
  const next = once(far, 'data');
  far.resume();
  near.write('third');
  expect(String((await next)[0])).toBe('third');
  stop();
});
