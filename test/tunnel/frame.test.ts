import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { StreamReset } from '../../src/shared/duplex.ts';
import { ProtocolError } from '../../src/shared/errors.ts';
import { encodeHeader, FrameParser, type FrameHeader } from '../../src/tunnel/frame.ts';
import { muxPair } from '../support/mux-pair.ts';

interface Found {
  header: FrameHeader;
  payload: string;
}

function parse(chunks: Uint8Array[]): Found[] {
  const found: Found[] = [];
  const parser = new FrameParser({
    header: (header) => found.push({ header: { ...header }, payload: '' }),
    payload: (bytes) => (found.at(-1)!.payload += Buffer.from(bytes).toString('hex')),
  });
  for (const chunk of chunks) parser.push(chunk);
  return found;
}

function cut(bytes: Buffer, at: number[]): Buffer[] {
  const edges = [0, ...at.map((edge) => edge % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
  return edges.slice(1).map((edge, index) => bytes.subarray(edges[index], edge));
}

function failureOf(act: () => unknown): unknown {
  try {
    act();
    return undefined;
  } catch (error) {
    return error;
  }
}

const frames = fc.oneof(
  fc
    .record({
      flags: fc.nat(15),
      stream: fc.integer({ min: 1, max: 0xffff_ffff }),
      data: fc.uint8Array({ maxLength: 200 }),
    })
    .map(({ flags, stream, data }) => Buffer.concat([encodeHeader(0, flags, stream, data.length), data])),
  fc
    .tuple(fc.nat(15), fc.integer({ min: 1, max: 0xffff_ffff }), fc.nat(0xffff_ffff))
    .map(([flags, stream, length]) => encodeHeader(1, flags, stream, length)),
  fc
    .tuple(fc.constantFrom(2, 3), fc.nat(15), fc.nat(0xffff_ffff))
    .map(([type, flags, length]) => encodeHeader(type, flags, 0, length)),
);

describe('the parser', () => {
  test('finds the same frames however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(frames, { maxLength: 8 }), fc.array(fc.nat(), { maxLength: 20 }), (list, cuts) => {
        const bytes = Buffer.concat(list);
        const whole = parse([bytes]);
        expect(parse(cut(bytes, cuts))).toEqual(whole);
        expect(parse(Array.from(bytes, (byte) => Buffer.from([byte])))).toEqual(whole);
        expect(whole.length).toBe(list.length);
      }),
      { numRuns: 300 },
    );
  });

  test('hands data on without a copy', () => {
    const chunk = Buffer.concat([encodeHeader(0, 0, 1, 3), Buffer.from('abc')]);
    let payload: Uint8Array | undefined;
    new FrameParser({ header: () => undefined, payload: (bytes) => (payload = bytes) }).push(chunk);
    expect(payload!.buffer).toBe(chunk.buffer);
  });

  test('random bytes are frames or a ProtocolError, nothing else', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 8 }), (chunks) => {
        expect(failureOf(() => parse(chunks)) ?? new ProtocolError('none', '')).toBeInstanceOf(ProtocolError);
      }),
    );
  });
});

describe('a multiplexer that is sent nonsense', () => {
  /** Mostly well-formed, so that the fuzzer gets past the header: few streams, small frames, random order and flags. */
  const nonsense = fc.oneof(
    fc
      .tuple(fc.nat(15), fc.nat(9), fc.nat(300))
      .map(([flags, stream, length]) => Buffer.concat([encodeHeader(0, flags, stream, length), Buffer.alloc(length)])),
    fc
      .tuple(fc.nat(3), fc.nat(31), fc.nat(9), fc.nat())
      .map(([type, flags, stream, length]) => encodeHeader(type, flags, stream, length)),
    fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
  );

  test('neither throws nor goes on after a violation, and every stream settles', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(nonsense, { maxLength: 30 }),
        fc.array(fc.nat(), { maxLength: 10 }),
        async (list, cuts) => {
          const [, server] = muxPair({ streamsMax: 4 });
          const own = server.mux.open();
          for (const chunk of cut(Buffer.concat(list), cuts)) server.mux.receive(chunk);
          expect(server.mux.streams).toBeLessThanOrEqual(5);
          server.mux.lost('test over');
          const streams = [own, ...server.streams];
          await Promise.all(streams.map((stream) => stream.closed));
          await Promise.all(
            streams.map((stream) => expect(stream.write(Buffer.from('x'))).rejects.toThrow(StreamReset)),
          );
          expect(server.mux.streams).toBe(0);
        },
      ),
      { numRuns: 500 },
    );
  });
});
