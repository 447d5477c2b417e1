import { digestBytes } from './digest.ts';

/**
 * C2SP tlog-proof (https://c2sp.org/tlog-proof): that a leaf stands in the log under a checkpoint.
 *
 *   c2sp.org/tlog-proof@v1 ⏎ [extra <base64> ⏎] index <decimal> ⏎ a hash in base64 a line ⏎ … ⏎ (empty line) ⏎ checkpoint
 *
 * hoop puts the leaf's own bytes into `extra`.
 */
export interface TlogProof {
  extra: Buffer;
  index: number;
  hashes: Buffer[];
  /** The signed note as it was published. */
  checkpoint: string;
}

const firstLine = 'c2sp.org/tlog-proof@v1';

export function formatTlogProof({ extra, index, hashes, checkpoint }: TlogProof): string {
  const lines = [firstLine];
  if (extra.length > 0) lines.push(`extra ${extra.toString('base64')}`);
  lines.push(`index ${index}`, ...hashes.map((hash) => hash.toString('base64')));
  return `${lines.join('\n')}\n\n${checkpoint}`;
}

/** Throws RangeError on anything that `formatTlogProof` would not have made. */
export function parseTlogProof(text: string): TlogProof {
  const split = text.indexOf('\n\n');
  const [first, ...lines] = text.slice(0, Math.max(0, split)).split('\n');
  if (first !== firstLine) throw new RangeError('not a tlog-proof');
  const extra = lines[0]?.startsWith('extra ') ? base64(lines.shift()!.slice('extra '.length)) : Buffer.alloc(0);
  const index = /^index (0|[1-9]\d{0,15})$/.exec(lines.shift() ?? '')?.[1];
  if (index === undefined) throw new RangeError('the tlog-proof has no index');
  if (lines.length > hashesMax) throw new RangeError(`a tlog-proof of ${lines.length} hashes`);
  const hashes = lines.map(base64);
  if (hashes.some((hash) => hash.length !== digestBytes)) throw new RangeError('a hash of the tlog-proof is malformed');
  return { extra, index: Number(index), hashes, checkpoint: text.slice(split + 2) };
}

/** The height of a tree of 2^63 leaves. */
const hashesMax = 63;

function base64(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) throw new RangeError('a line of the tlog-proof is not base64');
  return bytes;
}
