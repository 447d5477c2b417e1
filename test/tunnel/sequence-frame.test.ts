import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { StreamReset, type Duplex, type Taker } from '../../src/shared/duplex.ts';
import { flowFrom } from '../../src/shared/flow.ts';
import { afterSequence, withSequence } from '../../src/tunnel/sequence-frame.ts';
import { cuts, scripted } from '../support/scripted-stream.ts';

async function readAll(stream: Duplex): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for (let bytes = await stream.read(); bytes; bytes = await stream.read()) pieces.push(bytes);
  return Buffer.concat(pieces);
}

it.each([1, 3, 12, 13, 100_000])('units arrive whole and each after its entry, in chunks of %i bytes', async (size) => {
  const out = scripted([]);
  const shower = { shownSeq: 0, show: () => undefined };
  const gateway = withSequence(out, shower);
  const sent = [randomBytes(1), randomBytes(4096), randomBytes(4097), randomBytes(20_000)];
  for (const [at, bytes] of sent.entries()) {
    shower.shownSeq = at === 3 ? 2 ** 40 + 7 : at;
    await gateway.write(bytes);
  }
  const asked: number[] = [];
  const agent = afterSequence(scripted(cuts(Buffer.concat(out.written), size)), (seq) => {
    asked.push(seq);
    return seq % 2 === 1 ? Promise.resolve() : undefined;
  });
  expect((await readAll(agent)).equals(Buffer.concat(sent))).toBe(true);
  expect(asked).toEqual([0, 1, 2, 2 ** 40 + 7]);
});

/** What a flow gives; it has room for one piece at a time where `slow`. */
function flowed(stream: Duplex, slow: boolean): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const pieces: Uint8Array[] = [];
    const taker: Taker = {
      take(bytes) {
        pieces.push(Buffer.from(bytes));
        if (slow) setImmediate(() => flow.more());
        return !slow;
      },
      ended: () => resolve(Buffer.concat(pieces)),
      failed: reject,
    };
    const flow = flowFrom(stream, taker);
  });
}

it.each([1, 12, 13, 500, 100_000])('units flow whole and each after its entry, in chunks of %i bytes', async (size) => {
  const out = scripted([]);
  const sent = [randomBytes(1), randomBytes(300), randomBytes(5000)];
  for (const [at, bytes] of sent.entries())
    await withSequence(out, { shownSeq: at, show: () => undefined }).write(bytes);
  const chunks = cuts(Buffer.concat(out.written), size);
  for (const slow of [false, true]) {
    const asked: number[] = [];
    const agent = afterSequence(scripted(chunks), (seq) => {
      asked.push(seq);
      return seq === 1 ? new Promise((resolve) => setImmediate(resolve)) : undefined;
    });
    expect((await flowed(agent, slow)).equals(Buffer.concat(sent))).toBe(true);
    expect(asked).toEqual([0, 1, 2]);
  }
});

it('nothing flows of a unit whose entry is refused, or that is cut off', async () => {
  const out = scripted([]);
  await withSequence(out, { shownSeq: 5, show: () => undefined }).write(Buffer.from('drop table orders'));
  const refused = afterSequence(scripted(out.written), () => Promise.reject(new Error('refused')));
  await expect(flowed(refused, false)).rejects.toThrow('refused');
  const cut = afterSequence(scripted([out.written[0]!.subarray(0, 15)]), () => undefined);
  await expect(flowed(cut, false)).rejects.toThrow(StreamReset);
});

it('nothing of a unit is read whose entry is refused', async () => {
  const out = scripted([]);
  await withSequence(out, { shownSeq: 5, show: () => undefined }).write(Buffer.from('drop table orders'));
  const agent = afterSequence(scripted(out.written), () => Promise.reject(new Error('refused')));
  await expect(agent.read()).rejects.toThrow('refused');
});

it('a unit that is cut off resets', async () => {
  const out = scripted([]);
  await withSequence(out, { shownSeq: 0, show: () => undefined }).write(Buffer.from('select 1'));
  for (const end of [5, 12, 15]) {
    const agent = afterSequence(scripted([out.written[0]!.subarray(0, end)]), () => undefined);
    await expect(readAll(agent)).rejects.toThrow(StreamReset);
  }
});

it('a write waits for what was shown before it', async () => {
  let shown!: () => void;
  const stream = withSequence(scripted([]), {
    shownSeq: 0,
    show: () => new Promise((resolve) => (shown = resolve)),
  });
  let isWritten = false;
  const writing = stream.write(Buffer.from('x')).then(() => (isWritten = true));
  await new Promise((resolve) => setImmediate(resolve));
  expect(isWritten).toBe(false);
  shown();
  await writing;
});
