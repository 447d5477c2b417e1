import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { StreamReset, type Duplex } from '../../src/shared/duplex.ts';
import {
  afterSequence,
  EntryMessages,
  encodeWitnessEntry,
  readWitnessMessages,
  withSequence,
} from '../../src/tunnel/witness-frame.ts';

const id = randomBytes(16);

/** A stream that gives these chunks, then its end; what is written to it lies in `written`. */
function scripted(chunks: Uint8Array[]): Duplex & { written: Buffer[] } {
  const left = [...chunks];
  const written: Buffer[] = [];
  return {
    written,
    closed: new Promise(() => undefined),
    read: () => Promise.resolve(left.shift() ?? null),
    write: async (bytes) => void written.push(Buffer.from(bytes)),
    end: () => undefined,
    reset: () => undefined,
  };
}

const cuts = (bytes: Buffer, size: number): Buffer[] =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.subarray(at * size, at * size + size));

async function readAll(stream: Duplex): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for (let bytes = await stream.read(); bytes; bytes = await stream.read()) pieces.push(bytes);
  return Buffer.concat(pieces);
}

it('messages that were taken stay as they were, whatever is added behind them', () => {
  const entries = Array.from({ length: 2000 }, (_, at) => randomBytes(at % 97 === 0 ? 70_000 : at % 400));
  const messages = new EntryMessages(id);
  const taken: Buffer[] = [];
  let mark = messages.mark;
  for (const [at, entry] of entries.entries()) {
    messages.add(entry);
    if (at % 7 === 0) mark = messages.mark;
    if (at % 3 === 0) taken.push(messages.take(mark)); // up to one that was there some time ago
  }
  taken.push(messages.take(messages.mark));
  const whole = Buffer.concat(entries.map((entry) => encodeWitnessEntry(id, entry)));
  expect(Buffer.concat(taken).equals(whole)).toBe(true);
});

it.each([1, 5, 21, 64, 100_000])('messages are found in chunks of %i bytes', async (size) => {
  const entries = Array.from({ length: 50 }, (_, at) => randomBytes(at * 3));
  const bytes = Buffer.concat(entries.map((entry) => encodeWitnessEntry(id, entry)));
  const found: Buffer[] = [];
  await readWitnessMessages(scripted(cuts(bytes, size)), (type, body) => {
    expect(type).toBe(1);
    found.push(Buffer.from(body));
  });
  expect(found).toEqual(entries.map((entry) => Buffer.concat([id, entry])));
});

it('a message that is cut off, or too long, resets', async () => {
  const message = encodeWitnessEntry(id, randomBytes(9));
  await expect(readWitnessMessages(scripted([message.subarray(0, -1)]), () => undefined)).rejects.toThrow(StreamReset);
  const long = Buffer.from(message);
  long.writeUInt32BE(0xffff_ffff, 1);
  await expect(readWitnessMessages(scripted([long]), () => undefined)).rejects.toThrow('4294967295 bytes');
});

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
