import { describe, expect, test } from 'vitest';
import { StreamReset } from '../../src/shared/duplex.ts';
import { encodeHeader, frameFlag, frameType } from '../../src/tunnel/frame.ts';
import { createMux } from '../../src/tunnel/mux.ts';
import { muxPair } from '../support/mux-pair.ts';
import { readAll } from '../support/tunnel.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('streams', () => {
  test('bytes go both ways and half-close leaves the other direction open', async () => {
    const [client, server] = muxPair();
    const near = client.mux.open();
    await near.write(Buffer.from('question'));
    near.end();
    await turn();
    const far = server.streams[0]!;
    expect((await readAll(far)).toString()).toBe('question');
    await far.write(Buffer.from('answer'));
    far.end();
    expect((await readAll(near)).toString()).toBe('answer');
    await Promise.all([near.closed, far.closed]);
    expect([client.mux.streams, server.mux.streams]).toEqual([0, 0]);
  });

  test('a reset rejects what waits on the other side, with the reason', async () => {
    const [client, server] = muxPair();
    const near = client.mux.open();
    await turn();
    const far = server.streams[0]!;
    const reading = far.read();
    near.reset('user pressed Ctrl-C');
    await expect(reading).rejects.toThrow(new StreamReset('user pressed Ctrl-C'));
    await expect(far.write(Buffer.from('x'))).rejects.toThrow(StreamReset);
    await expect(near.read()).rejects.toThrow(StreamReset);
    await Promise.all([near.closed, far.closed]);
    expect([client.mux.streams, server.mux.streams]).toEqual([0, 0]);
  });

  test('a long reason of a reset is cut, not a violation', async () => {
    const [client, server] = muxPair();
    const near = client.mux.open();
    await turn();
    near.reset('ä'.repeat(1000));
    await expect(server.streams[0]!.read()).rejects.toThrow(/^ä{100,}/);
    expect(server.over).toBeUndefined();
  });

  test('bytes that came before the connection closed stay readable, then the reader learns of it', async () => {
    const [client, server] = muxPair();
    const near = client.mux.open();
    await near.write(Buffer.from('last words'));
    client.mux.close('session over');
    await turn();
    const far = server.streams[0]!;
    server.mux.lost('session over');
    expect(Buffer.from((await far.read())!).toString()).toBe('last words');
    await expect(far.read()).rejects.toThrow('session over');
  });

  test('a write waits for credit and goes on when the reader reads', async () => {
    const [client, server] = muxPair();
    const near = client.mux.open();
    const message = Buffer.alloc(3 * 1024 * 1024, 7);
    let written = false;
    const writing = near.write(message).then(() => (written = true));
    await turn();
    expect(written).toBe(false);
    near.end();
    expect((await readAll(server.streams[0]!)).equals(message)).toBe(true);
    await writing;
  });

  test('nobody reads: the other side sends one window and no more; a stream nobody ever touched costs less', async () => {
    const [client, server] = muxPair();
    const untouched = client.mux.open();
    const touched = client.mux.open();
    void untouched.write(Buffer.alloc(4 * 1024 * 1024));
    void touched.write(Buffer.alloc(4 * 1024 * 1024));
    await turn();
    const first = await server.streams[1]!.read();
    await turn();
    client.mux.close('stop');
    await turn();
    server.mux.lost('stop');
    expect(await heldBytes(server.streams[0]!)).toBe(256 * 1024);
    expect((await heldBytes(server.streams[1]!)) + first!.length).toBeLessThanOrEqual(2 * 1024 * 1024);
  });

  test('two writers share the connection: neither waits for the end of the other', async () => {
    const sent: number[] = [];
    const mux = createMux({
      role: 'client',
      limits: { batchBytesMax: 64 * 1024 },
      schedule: queueMicrotask,
      onStream: () => undefined,
      onClose: () => undefined,
      send: (chunks) => {
        for (const chunk of chunks) if (chunk.length === 12) sent.push(Buffer.from(chunk).readUInt32BE(4));
        return false; // one batch at a time
      },
    });
    const [one, two] = [mux.open(), mux.open()];
    await turn();
    void one.write(Buffer.alloc(256 * 1024));
    void two.write(Buffer.alloc(256 * 1024));
    sent.length = 0;
    for (let round = 0; round < 8; round++) mux.drained();
    expect(sent).toEqual([1, 3, 1, 3, 1, 3, 1, 3]);
  });

  test('a ping is answered', async () => {
    const [client] = muxPair();
    await expect(client.mux.ping()).resolves.toBeUndefined();
  });

  test('after go-away no stream can be opened', async () => {
    const [client, server] = muxPair();
    server.mux.close('draining');
    await turn();
    expect(() => client.mux.open()).toThrow(StreamReset);
    expect(() => server.mux.open()).toThrow('draining');
  });
});

describe('a peer that breaks the rules loses the connection', () => {
  const data = (flags: number, stream: number, length: number) =>
    Buffer.concat([encodeHeader(frameType.data, flags, stream, length), Buffer.alloc(length)]);
  const open = encodeHeader(frameType.windowUpdate, frameFlag.syn, 1, 0);
  const { syn, fin } = frameFlag;

  test.each<[string, Uint8Array[], RegExp]>([
    ['another version', [Buffer.from([1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0])], /frame version 1/],
    ['an unknown type', [Buffer.from([0, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0])], /frame type 4/],
    ['an unknown flag', [encodeHeader(frameType.data, 16, 1, 0)], /frame flags 16/],
    ['a slice over the bound', [open, encodeHeader(frameType.data, 0, 1, 64 * 1024 + 1)], /65537 data bytes/],
    ['data on stream 0', [data(0, 0, 1)], /without a stream/],
    ['a ping on a stream', [encodeHeader(frameType.ping, syn, 1, 0)], /with a stream/],
    ['data for a stream never opened', [data(0, 5, 1)], /stream 5 was never opened/],
    ['data for a stream of ours never opened', [data(0, 2, 1)], /stream 2 was never opened/],
    ['a stream with our own parity', [encodeHeader(frameType.data, syn, 2, 0)], /stream 2 cannot be opened/],
    ['a number used twice', [open, open], /stream 1 cannot be opened/],
    ['data after the end', [open, data(fin, 1, 0), data(0, 1, 1)], /after its end/],
    ['two ends', [open, data(fin, 1, 0), data(fin, 1, 0)], /ended twice/],
    ['more than its credit', [open, ...Array.from({ length: 5 }, () => data(0, 1, 64 * 1024))], /more than its credit/],
    ['impossible credit', [open, encodeHeader(frameType.windowUpdate, 0, 1, 0xffff_ffff)], /impossible credit/],
    [
      'too many streams',
      Array.from({ length: 9 }, (_, index) => encodeHeader(frameType.windowUpdate, syn, 1 + 2 * index, 0)),
      /more than 8 streams/,
    ],
    ['a reason without end', [open, encodeHeader(frameType.data, frameFlag.rst, 1, 257)], /257 data bytes/],
  ])('%s', async (_, frames, why) => {
    const [, server] = muxPair({ streamsMax: 8 });
    for (const frame of frames) server.mux.receive(frame);
    expect(server.over).toEqual({ reason: expect.stringMatching(why), how: 'violation' });
    expect(server.mux.streams).toBe(0);
    server.mux.receive(open); // what comes after is ignored
    expect(server.mux.streams).toBe(0);
  });

  test('who asks and never reads is cut off before the answers pile up', () => {
    let over: string | undefined;
    const mux = createMux({
      role: 'server',
      schedule: queueMicrotask,
      onStream: () => undefined,
      onClose: (reason) => (over = reason),
      send: () => false,
    });
    const pings = Buffer.concat(Array.from({ length: 5000 }, () => encodeHeader(frameType.ping, syn, 0, 1)));
    for (let round = 0; round < 100; round++) mux.receive(pings);
    expect(over).toBe('the other side does not read');
  });

  test('frames of a stream that was reset here, sent before the peer knew, are no violation', async () => {
    const [, server] = muxPair();
    server.mux.receive(open);
    server.streams[0]!.reset('enough');
    server.mux.receive(data(0, 1, 1000));
    server.mux.receive(data(fin, 1, 0));
    expect(server.over).toBeUndefined();
  });
});

async function heldBytes(stream: { read(): Promise<Uint8Array | null> }): Promise<number> {
  let bytes = 0;
  try {
    for (let chunk = await stream.read(); chunk; chunk = await stream.read()) bytes += chunk.length;
  } catch {
    // the connection is closed: that was all
  }
  return bytes;
}
