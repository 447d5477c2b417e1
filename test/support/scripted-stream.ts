import type { Duplex } from '../../src/shared/duplex.ts';

/** A stream that gives these chunks, then its end; what is written to it lies in `written`. */
export function scripted(chunks: Uint8Array[]): Duplex & { written: Buffer[] } {
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

export const cuts = (bytes: Buffer, size: number): Buffer[] =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.subarray(at * size, at * size + size));
