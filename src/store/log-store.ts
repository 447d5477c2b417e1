import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { digestBytes } from '../recording/digest.ts';
import type { ReadHash } from '../recording/merkle.ts';
import {
  decodeBundle,
  encodeBundle,
  tileOfHash,
  tilePath,
  tileWidth,
  TileTree,
  type Tile,
} from '../recording/merkle-tiles.ts';
import { UserError } from '../shared/errors.ts';
import { makeDirectory, writeFileAtomically } from './durable.ts';

/**
 * The transparency log's files, `<data-dir>/log/{checkpoint,tile/…,keys/…}`, as C2SP tlog-tiles names them. Leaves (tile/entries) are the truth
 * and durable before any checkpoint that has them; tiles of hashes are derived and made anew at every start where they are not right.
 * An attacker who can write here can rewrite the log, not sign it; whoever holds an older checkpoint sees that.
 */
export class LogStore {
  readonly #directory: string;
  readonly #tree = new TileTree();
  /** Of the last bundle. */
  #bundle: Buffer[] = [];
  /** Full tiles and bundles that are not on disk yet. */
  readonly #unwritten = new Map<string, Buffer>();
  /** Written in full since the last checkpoint: their partial forms can go. */
  #filled: string[] = [];
  #published: { text: string; size: number } | undefined;

  private constructor(dataDir: string) {
    this.#directory = join(dataDir, 'log');
  }

  /** Reads what is there; every leaf is given to `found`, in order. Throws HOOP_RECORD_DAMAGED. */
  static async open(dataDir: string, found: (leaf: Buffer, index: number) => void): Promise<LogStore> {
    const store = new LogStore(dataDir);
    await makeDirectory(store.#directory);
    for await (const leaf of readLeaves(store.#directory)) {
      found(leaf, store.size);
      store.append(leaf);
      if (store.#unwritten.size > comparedAtOnce) await store.#keepWhatIsRight();
    }
    await store.#keepWhatIsRight();
    return store;
  }

  /** Leaves, those that are not durable yet too. */
  get size(): number {
    return this.#tree.size;
  }

  root(): Buffer {
    return this.#tree.root();
  }

  /** What was published last, or is found on disk. */
  async checkpoint(): Promise<string | undefined> {
    return this.#published?.text ?? (await readIfThere(join(this.#directory, 'checkpoint')))?.toString('utf8');
  }

  /** Takes a leaf. Not durable yet. */
  append(leaf: Buffer): void {
    this.#bundle.push(leaf);
    for (const { tile, bytes } of this.#tree.add(leaf)) this.#unwritten.set(tilePath(tile), bytes);
    if (this.#bundle.length < tileWidth) return;
    const index = this.size / tileWidth - 1;
    this.#unwritten.set(tilePath({ level: 'entries', index, width: tileWidth }), encodeBundle(this.#bundle));
    this.#bundle = [];
  }

  /** All leaves are durable when it resolves. After a rejection it may be called again: every try writes new files. */
  async flush(): Promise<void> {
    for (const [path, bytes] of this.#unwritten) {
      await this.#write(path, bytes, true);
      this.#unwritten.delete(path);
      this.#filled.push(path);
    }
    const last = this.#lastBundle();
    if (last) await this.#write(tilePath(last.tile), last.bytes, true);
    for (const { tile, bytes } of this.#tree.partial()) await this.#write(tilePath(tile), bytes, false);
  }

  /** The checkpoint over all leaves, which `flush` has made durable. */
  async publish(checkpoint: string): Promise<void> {
    await writeFileAtomically(join(this.#directory, 'checkpoint'), Buffer.from(checkpoint));
    this.#published = { text: checkpoint, size: this.size };
    await this.#removeSuperseded().catch(() => undefined); // the next checkpoint does it
  }

  /** The proof that the log's key was followed by that one (recording/rollover.ts); durable when it resolves. */
  async writeRollover(number: number, proof: string): Promise<void> {
    await this.#write(rolloverPath(number), Buffer.from(proof), true);
  }

  async rollover(number: number): Promise<string | undefined> {
    return (await readIfThere(join(this.#directory, rolloverPath(number))))?.toString('utf8');
  }

  /** A tile's bytes as the protocol asks for them; undefined where there are none under the published checkpoint. */
  async tile(tile: Tile): Promise<Buffer | undefined> {
    const unit = tile.level === 'entries' ? 1 : tileWidth ** tile.level;
    const covered = Math.floor((this.#published?.size ?? 0) / unit) - tile.index * tileWidth;
    if (tile.width > covered) return undefined;
    if (tile.level !== 'entries')
      return (await this.#hashes(tile.level, tile.index))?.subarray(0, tile.width * digestBytes);
    const bundle = await this.#entries(tile.index);
    return bundle && (tile.width === tileWidth ? bundle : encodeBundle(decodeBundle(bundle).slice(0, tile.width)));
  }

  async leaf(index: number): Promise<Buffer> {
    const bundle = await this.#entries(Math.floor(index / tileWidth));
    const leaf = bundle && decodeBundle(bundle)[index % tileWidth];
    if (!leaf) throw new RangeError(`there is no leaf ${index}`);
    return leaf;
  }

  /** For roots and proofs at any size up to this one's. */
  readonly readHash: ReadHash = async (level, index) => {
    const { tile, hash } = tileOfHash(level, index);
    const bytes = await this.#hashes(tile.level as number, tile.index);
    if (!bytes) throw new RangeError(`the log has no hash ${index} of level ${level}`);
    return hash(bytes);
  };

  #lastBundle(): { tile: Tile; bytes: Buffer } | undefined {
    if (this.#bundle.length === 0) return undefined;
    const tile = { level: 'entries', index: Math.floor(this.size / tileWidth), width: this.#bundle.length } as const;
    return { tile, bytes: encodeBundle(this.#bundle) };
  }

  async #hashes(level: number, index: number): Promise<Buffer | undefined> {
    const path = tilePath({ level, index, width: tileWidth });
    const growing = this.#tree.partial().find(({ tile }) => tile.level === level && tile.index === index);
    return this.#unwritten.get(path) ?? growing?.bytes ?? readIfThere(join(this.#directory, path));
  }

  async #entries(index: number): Promise<Buffer | undefined> {
    const path = tilePath({ level: 'entries', index, width: tileWidth });
    const last = this.#lastBundle();
    const growing = last?.tile.index === index ? last.bytes : undefined;
    return this.#unwritten.get(path) ?? growing ?? readIfThere(join(this.#directory, path));
  }

  async #write(path: string, bytes: Buffer, durable: boolean): Promise<void> {
    const target = join(this.#directory, path);
    if (durable) {
      await makeDirectory(dirname(target));
      return writeFileAtomically(target, bytes);
    }
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    await writeDerived(`${target}.tmp`, bytes);
    await rename(`${target}.tmp`, target);
  }

  /** Of the files made anew while reading, only those are written again that are not on disk as they should be. */
  async #keepWhatIsRight(): Promise<void> {
    for (const [path, bytes] of this.#unwritten) {
      const there = await readIfThere(join(this.#directory, path));
      if (there?.equals(bytes)) this.#unwritten.delete(path);
    }
  }

  /** Partial tiles that a wider one has replaced; `tile` still answers for their widths. */
  async #removeSuperseded(): Promise<void> {
    const last = this.#lastBundle();
    const partial = [...this.#tree.partial(), ...(last ? [last] : [])];
    for (const { tile } of partial) {
      const folder = dirname(join(this.#directory, tilePath(tile)));
      const old = (await readdir(folder)).filter((name) => name !== String(tile.width));
      for (const name of old) await rm(join(folder, name), { force: true });
    }
    for (const path of this.#filled) await rm(join(this.#directory, `${path}.p`), { recursive: true, force: true });
    this.#filled = [];
  }
}

const rolloverPath = (number: number): string => `keys/${number}.tlog-proof`;

/** All proofs of a log's folder, as they are: they are judged by whoever reads them. */
export async function readRollovers(directory: string): Promise<string[]> {
  const names = await readdir(join(directory, 'keys')).catch(() => []);
  const proofs = names.filter((name) => /^[1-9]\d{0,3}\.tlog-proof$/.test(name)).toSorted();
  return Promise.all(proofs.map((name) => readFile(join(directory, 'keys', name), 'utf8')));
}

/** It need not be durable: the next start makes it anew. */
async function writeDerived(path: string, bytes: Uint8Array): Promise<void> {
  await rm(path, { force: true }); // what a crash left
  const file = await open(path, 'wx', 0o600);
  try {
    for (let at = 0; at < bytes.length;) at += (await file.write(bytes, at, bytes.length - at, at)).bytesWritten;
  } finally {
    await file.close();
  }
}

/** Tiles held while the log is read at a start. */
const comparedAtOnce = 64;

/** The leaves of a log's folder, in order. Throws HOOP_RECORD_DAMAGED where a bundle cannot be read. */
export async function* readLeaves(directory: string): AsyncGenerator<Buffer> {
  for (let index = 0; ; index++) {
    const path = join(directory, tilePath({ level: 'entries', index, width: tileWidth }));
    const bundle = await readBundle(path);
    if (!bundle) return;
    const { bytes, width } = bundle;
    const leaves = decoded(bytes, path);
    if (leaves.length !== width) throw damaged(path, `${leaves.length} leaves where there should be ${width}`);
    yield* leaves;
    if (width < tileWidth) return;
  }
}

/** A bundle in its widest form. A gateway that runs may replace it between a look and the reading: then there is a wider one. */
async function readBundle(path: string): Promise<{ bytes: Buffer; width: number } | undefined> {
  for (;;) {
    const full = await readIfThere(path);
    if (full) return { bytes: full, width: tileWidth };
    const width = await widestPartial(path);
    if (width === 0) return (await readIfThere(path)) ? readBundle(path) : undefined;
    const bytes = await readIfThere(join(`${path}.p`, String(width)));
    if (bytes) return { bytes, width };
  }
}

async function widestPartial(path: string): Promise<number> {
  const names = await readdir(`${path}.p`).catch(() => []);
  return Math.max(0, ...names.filter((name) => /^[1-9]\d{0,2}$/.test(name)).map(Number));
}

function decoded(bytes: Buffer, path: string): Buffer[] {
  try {
    return decodeBundle(bytes);
  } catch (error) {
    throw damaged(path, (error as Error).message);
  }
}

const damaged = (path: string, why: string): UserError =>
  new UserError('HOOP_RECORD_DAMAGED', `the log cannot be read at ${path}: ${why}`, {
    next: 'restore the log’s folder from a backup, whole, and verify it against a checkpoint held elsewhere',
  });

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
