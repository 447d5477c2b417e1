import { digestBytes } from './digest.ts';
import { emptyRoot, leafHash, nodeHash } from './merkle.ts';

/**
 * C2SP tlog-tiles (https://c2sp.org/tlog-tiles): a tile of level L is 256 hashes of complete subtrees of 256^L leaves; an entry bundle
 * is 256 leaves, each behind its length as u16. The last of each is partial.
 */
export const tileWidth = 256;

/** A tile of hashes, or a bundle of entries. */
export type TileLevel = number | 'entries';
export interface Tile {
  level: TileLevel;
  index: number;
  /** 1 to 256; a full one has no width in its path. */
  width: number;
}

/** `tile/<L>/<N>[.p/<W>]`, N in groups of three digits, all but the last behind an x. */
export function tilePath({ level, index, width }: Tile): string {
  const groups = [pad(index % 1000)];
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000))
    groups.unshift(`x${pad(rest % 1000)}`);
  return `tile/${level}/${groups.join('/')}${width === tileWidth ? '' : `.p/${width}`}`;
}

/** Undefined for anything that `tilePath` would not have made. */
export function parseTilePath(path: string): Tile | undefined {
  const match = /^tile\/(entries|[0-5]?\d)\/((?:x\d{3}\/){0,4}\d{3})(?:\.p\/([1-9]\d{0,2}))?$/.exec(path);
  if (!match) return undefined;
  const level = match[1] === 'entries' ? 'entries' : Number(match[1]);
  const index = Number(match[2]!.replaceAll(/[x/]/g, ''));
  const tile = { level, index, width: match[3] === undefined ? tileWidth : Number(match[3]) } satisfies Tile;
  return tilePath(tile) === path ? tile : undefined;
}

const pad = (value: number): string => String(value).padStart(3, '0');

export function encodeBundle(leaves: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.alloc(leaves.reduce((total, leaf) => total + 2 + leaf.length, 0));
  let at = 0;
  for (const leaf of leaves) {
    at = bytes.writeUInt16BE(leaf.length, at);
    bytes.set(leaf, at);
    at += leaf.length;
  }
  return bytes;
}

/** Throws RangeError where the bytes do not end with an entry. */
export function decodeBundle(bytes: Buffer): Buffer[] {
  const leaves: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 2 <= bytes.length ? at + 2 + bytes.readUInt16BE(at) : Infinity;
    if (end > bytes.length) throw new RangeError(`the bundle ends inside entry ${leaves.length}`);
    leaves.push(bytes.subarray(at + 2, end));
    at = end;
  }
  return leaves;
}

/** The growing edge of a tree: what a log needs to add leaves, to name its root, and to write its last tiles. */
export class TileTree {
  /** Of each level, the hashes of its last tile. */
  readonly #rows: Buffer[][] = [[]];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Adds a leaf; the tiles that are full with it. */
  add(leaf: Uint8Array): { tile: Tile; bytes: Buffer }[] {
    const full: { tile: Tile; bytes: Buffer }[] = [];
    this.#size++;
    let hash = leafHash(leaf);
    for (let level = 0, count = this.#size; ; level++, count = Math.floor(count / tileWidth)) {
      const row = (this.#rows[level] ??= []);
      row.push(hash);
      if (row.length < tileWidth) return full;
      full.push({ tile: { level, index: count / tileWidth - 1, width: tileWidth }, bytes: Buffer.concat(row) });
      hash = completeRoot(row);
      this.#rows[level] = [];
    }
  }

  /** The last tile of each level, where it is not full. */
  partial(): { tile: Tile; bytes: Buffer }[] {
    return this.#rows.flatMap((row, level) => {
      const index = Math.floor(this.#size / tileWidth ** (level + 1));
      return row.length === 0 ? [] : [{ tile: { level, index, width: row.length }, bytes: Buffer.concat(row) }];
    });
  }

  root(): Buffer {
    let root: Buffer | undefined;
    for (const row of this.#rows) {
      // Complete subtrees from right to left: the least significant bits of the width are the rightmost.
      for (let end = row.length, size = 1; end > 0; size *= 2) {
        if ((row.length & size) === 0) continue;
        const complete = completeRoot(row.slice(end - size, end));
        root = root ? nodeHash(complete, root) : complete;
        end -= size;
      }
    }
    return root ?? emptyRoot;
  }
}

/** The root over a power of two of hashes. */
export function completeRoot(hashes: readonly Buffer[]): Buffer {
  let row = [...hashes];
  while (row.length > 1) row = row.flatMap((hash, at) => (at % 2 === 0 ? [nodeHash(hash, row[at + 1]!)] : []));
  return row[0]!;
}

/** The hash of a complete subtree out of tiles: which tile has it, and how to make it from the tile's bytes. */
export function tileOfHash(
  level: number,
  index: number,
): { tile: Omit<Tile, 'width'>; hash: (bytes: Buffer) => Buffer } {
  const tileLevel = Math.floor(level / 8);
  const count = 2 ** (level % 8);
  const first = index * count;
  const start = first % tileWidth;
  return {
    tile: { level: tileLevel, index: Math.floor(first / tileWidth) },
    hash(bytes) {
      const end = (start + count) * digestBytes;
      if (bytes.length < end) throw new RangeError(`the tile has ${bytes.length} bytes, ${end} are needed`);
      const at = (place: number): number => place * digestBytes;
      return completeRoot(
        Array.from({ length: count }, (_, step) => bytes.subarray(at(start + step), at(start + step + 1))),
      );
    },
  };
}
