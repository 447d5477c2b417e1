import { expect, test } from 'vitest';
import { ReceiveQueue } from '../../src/tunnel/receive-queue.ts';

function drain(queue: ReceiveQueue): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let piece = queue.shift(); piece; piece = queue.shift()) pieces.push(piece);
  return pieces;
}

test('bytes come out in order, whatever their sizes', () => {
  const queue = new ReceiveQueue();
  const sent: Buffer[] = [];
  for (const size of [1, 300, 20_000, 2, 70_000, 16_384, 5, 255, 256, 257, 64 * 1024, 1]) {
    const piece = Buffer.from(Uint8Array.from({ length: size }, (_, index) => (index * 7 + size) % 251));
    sent.push(piece);
    queue.push(piece);
  }
  expect(Buffer.concat(drain(queue)).equals(Buffer.concat(sent))).toBe(true);
  expect(queue.empty).toBe(true);
});

test('a peer that sends its credit a byte at a time does not make us keep every buffer the transport read', () => {
  const queue = new ReceiveQueue();
  for (let count = 0; count < 20_000; count++) queue.push(new Uint8Array(64 * 1024).subarray(7, 8));
  const pieces = drain(queue);
  const held = [...new Set(pieces.map((piece) => piece.buffer))].reduce((sum, buffer) => sum + buffer.byteLength, 0);
  expect(held).toBeLessThan(40_000);
  expect(pieces.length).toBeLessThan(10);
});

test('a large piece is handed on as it came', () => {
  const queue = new ReceiveQueue();
  const piece = new Uint8Array(64 * 1024);
  queue.push(piece);
  expect(queue.shift()).toBe(piece);
});

test('a reader that is late gets as much at a time as one step may take', () => {
  const queue = new ReceiveQueue();
  const sent = [1, 2, 3, 4, 5].map((byte) => Buffer.alloc(48 * 1024, byte));
  const large = Buffer.alloc(200 * 1024, 6);
  for (const piece of [...sent, large, Buffer.from('end')]) queue.push(piece);
  const pieces = drain(queue);
  expect(pieces.map(({ length }) => length / 1024)).toEqual([96, 96, 48, 200, 3 / 1024]);
  expect(Buffer.concat(pieces).equals(Buffer.concat([...sent, large, Buffer.from('end')]))).toBe(true);
});

test('what was handed out is not written to again', () => {
  const queue = new ReceiveQueue();
  queue.push(Buffer.from('first'));
  const first = queue.shift()!;
  queue.push(Buffer.from('other'));
  expect(Buffer.from(first).toString()).toBe('first');
});
