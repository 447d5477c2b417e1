import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { StreamReset } from '../../src/shared/duplex.ts';
import { EntryMessages, encodeWitnessEntry, readWitnessMessages } from '../../src/tunnel/witness-frame.ts';
import { cuts, scripted } from '../support/scripted-stream.ts';

const id = randomBytes(16);

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
