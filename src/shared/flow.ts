import type { Duplex, Flow, Taker } from './duplex.ts';

/** Hands the bytes of a stream to `taker`, in the place of reads: by the stream's own calls, or by reading one piece after another. */
export function flowFrom(from: Duplex, taker: Taker): Flow {
  if (from.flow) return from.flow(taker);
  const more = () => void readInto(from, taker);
  more();
  return { more };
}

/** Until the taker has no room. Never rejects. */
async function readInto(from: Duplex, taker: Taker): Promise<void> {
  try {
    for (let bytes = await from.read(); bytes !== null; bytes = await from.read()) if (!taker.take(bytes)) return;
  } catch (error) {
    return taker.failed(error as Error);
  }
  taker.ended();
}
