import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteReader } from '../../src/protocol/byte-reader.ts';

describe('a reader of a body', () => {
  it('reads numbers as a DataView does, from its place in the memory', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 13, maxLength: 13 }), fc.nat(9), (bytes, before) => {
        const memory = Buffer.concat([Buffer.alloc(before, 0xee), bytes, Buffer.alloc(5, 0xee)]);
        const reader = new ByteReader(memory, before, before + 13);
        const view = new DataView(bytes.buffer, bytes.byteOffset, 13);
        expect([reader.uint8(), reader.int16(), reader.uint16(), reader.int32(), reader.uint32()]).toEqual([
          view.getUint8(0),
          view.getInt16(1),
          view.getUint16(3),
          view.getInt32(5),
          view.getUint32(9),
        ]);
        reader.done();
      }),
    );
  });

  it.each([0, 1, 31, 32, 33, 1000])('finds the end of a string of %i bytes', (length) => {
    const memory = Buffer.concat([Buffer.from('xx'), Buffer.alloc(length, 0x61), Buffer.from('\0rest')]);
    const reader = new ByteReader(memory, 2, memory.length);
    expect(reader.cstring()).toHaveLength(length);
    expect(reader.left).toBe(4);
    expect(Buffer.from(reader.rest()).toString()).toBe('rest');
    expect(() => new ByteReader(memory, 2, 2 + length).cstring()).toThrow('a string without its end');
    expect(() => new ByteReader(memory, 2, 2 + length).skipCstring()).toThrow('a string without its end');
  });

  it('never looks behind its end, whatever lies there', () => {
    const reads: ((reader: ByteReader) => unknown)[] = [
      (reader) => reader.uint8(),
      (reader) => reader.int16(),
      (reader) => reader.uint32(),
      (reader) => reader.bytes(1),
      (reader) => reader.bytes(-1),
      (reader) => reader.skip(1),
      (reader) => reader.cstring(),
      (reader) => reader.int16s(),
      (reader) => reader.uint32s(),
    ];
    for (const read of reads)
      expect(() => read(new ByteReader(Buffer.alloc(20), 4, 4))).toThrow(/past the end|without/);
    expect(() => new ByteReader(Uint8Array.of(0, 2, 0, 0, 0, 0), 0, 5).int16s()).toThrow('past the end');
    expect(() => new ByteReader(Buffer.alloc(20), 4, 6).done()).toThrow('2 bytes after the end');
  });
});
