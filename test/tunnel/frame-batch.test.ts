import { expect, test } from 'vitest';
import { encodeHeader, frameType } from '../../src/tunnel/frame.ts';
import { FrameBatch } from '../../src/tunnel/frame-batch.ts';

const frame = (stream: number, data: Uint8Array) =>
  Buffer.concat([encodeHeader(frameType.data, 0, stream, data.length), data]);
const filled = (length: number, byte: number) => Buffer.alloc(length, byte);

test('small frames leave as one piece', () => {
  const batch = new FrameBatch();
  batch.add(frameType.data, 0, 1, 3, Buffer.from('abc'));
  batch.add(frameType.windowUpdate, 1, 0xffff_ffff, 0x8000_0001);
  batch.add(frameType.data, 0, 3, 0);
  expect(batch.bytes).toBe(39);
  const pieces = batch.take();
  expect(pieces).toHaveLength(1);
  const wanted = [frame(1, Buffer.from('abc')), encodeHeader(frameType.windowUpdate, 1, 0xffff_ffff, 0x8000_0001)];
  expect(Buffer.concat(pieces).equals(Buffer.concat([...wanted, frame(3, filled(0, 0))]))).toBe(true);
  expect(batch.bytes).toBe(0);
  expect(batch.take()).toEqual([]);
});

test('large data is not copied, and stands between its neighbours', () => {
  const batch = new FrameBatch();
  const large = filled(64 * 1024, 7);
  batch.add(frameType.data, 0, 1, 1, filled(1, 1));
  batch.add(frameType.data, 0, 3, large.length, large);
  batch.add(frameType.data, 0, 5, 2, filled(2, 2));
  const pieces = batch.take();
  expect(pieces[1]).toBe(large);
  const wanted = Buffer.concat([frame(1, filled(1, 1)), frame(3, large), frame(5, filled(2, 2))]);
  expect(Buffer.concat(pieces).equals(wanted)).toBe(true);
});

test('more small frames than one slab holds, and batches of several connections: none writes over another', () => {
  const batches = [new FrameBatch(), new FrameBatch()];
  const taken: { pieces: Uint8Array[]; wanted: Buffer }[] = [];
  for (let round = 0; round < 20; round++) {
    const wanted = batches.map(() => [] as Buffer[]);
    for (let count = 0; count < 40; count++) {
      for (const [index, batch] of batches.entries()) {
        const data = filled((count * 397) % 12_000, (round * 40 + count) % 256);
        batch.add(frameType.data, 0, 1 + count, data.length, data);
        wanted[index]!.push(frame(1 + count, data));
      }
    }
    for (const [index, batch] of batches.entries())
      taken.push({ pieces: batch.take(), wanted: Buffer.concat(wanted[index]!) });
  }
  for (const { pieces, wanted } of taken) expect(Buffer.concat(pieces).equals(wanted)).toBe(true);
});
