import { describe, expect, test } from 'vitest';
import { StreamReset, writable, type Duplex } from '../../src/shared/duplex.ts';
import { pump } from '../../src/shared/pump.ts';
import { prefixed } from '../../src/tunnel/prefixed.ts';
import { muxPair } from '../support/mux-pair.ts';
import { readAll } from '../support/tunnel.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

async function streamPair(): Promise<[near: Duplex, far: Duplex]> {
  const [client, server] = muxPair();
  const near = client.mux.open();
  await turn();
  return [near, server.streams[0]!];
}

/** As others see it: a stream that can only be read. */
const readOnly = (stream: Duplex): Duplex => ({
  read: () => stream.read(),
  write: async (bytes) => stream.write(bytes),
  end: () => stream.end(),
  reset: (reason) => stream.reset(reason),
  closed: stream.closed,
});

describe.each<[string, (stream: Duplex) => Duplex]>([
  ['streams that hand over', (stream) => stream],
  ['streams that are read', readOnly],
  ['streams with bytes put back', (stream) => prefixed(Buffer.from('>'), stream)],
])('%s', (name, as) => {
  const front = name.endsWith('put back') ? '>' : '';

  test('bytes both ways, half-close, and the end of both', async () => {
    const [[near, left], [right, far]] = [await streamPair(), await streamPair()];
    await near.write(Buffer.from('before ')); // waits already
    await turn();
    const pumped = pump(as(left), as(right));
    await near.write(Buffer.from('question'));
    near.end();
    expect((await readAll(far)).toString()).toBe(`${front}before question`);
    await far.write(Buffer.from('answer'));
    far.end();
    expect((await readAll(near)).toString()).toBe(`${front}answer`);
    await pumped;
  });

  test('more than the window, to a reader that is late', async () => {
    const [[near, left], [right, far]] = [await streamPair(), await streamPair()];
    const pumped = pump(as(left), as(right));
    const sent = Buffer.from(Uint8Array.from({ length: 5_000_000 }, (_, at) => (at * 7) % 251));
    let written = 0;
    const writing = (async () => {
      for (; written < sent.length; written += 50_000) await near.write(sent.subarray(written, written + 50_000));
      near.end();
    })();
    for (let count = 0; count < 200; count++) await turn();
    expect(written).toBeLessThanOrEqual(3 * 1024 * 1024); // two windows, and what is under way
    expect((await readAll(far)).equals(Buffer.concat([Buffer.from(front), sent]))).toBe(true);
    await writing;
    far.end();
    await pumped;
  });

  test('a reset of one side resets the other, with the reason', async () => {
    const [[near, left], [right, far]] = [await streamPair(), await streamPair()];
    const pumped = pump(as(left), as(right));
    await turn();
    far.reset('enough');
    await expect(readAll(near)).rejects.toThrow(new StreamReset('enough'));
    await pumped;
  });

  test('a side that is gone already', async () => {
    const [[near, left], [right, far]] = [await streamPair(), await streamPair()];
    far.reset('gone before');
    await turn();
    await pump(as(left), as(right));
    await expect(readAll(near)).rejects.toThrow(StreamReset);
  });
});

test('a write that need not wait gives the same promise each time; one that must does not', async () => {
  const [near] = await streamPair();
  expect(near.write(Buffer.from('x'))).toBe(writable);
  const waits = near.write(Buffer.alloc(8 * 1024 * 1024));
  expect(waits).not.toBe(writable);
  near.reset('test over');
  await expect(waits).rejects.toThrow('test over');
});

test('`closed` is the same for who asks before and after', async () => {
  const [near, far] = await streamPair();
  const asked = near.closed;
  near.end();
  far.end();
  await expect(Promise.all([asked, far.closed, near.closed])).resolves.toHaveLength(3);
});
