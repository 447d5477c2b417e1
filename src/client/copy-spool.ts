import { createReadStream } from 'node:fs';
import { mkdtemp, open, rm, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Below it no file is made. */
const memoryBytesMax = 1024 * 1024;

/** COPY data on its way into a script: in memory while it is small, else in a file that only this user reads and that goes with the folder. */
class CopySpool {
  readonly #path: () => Promise<string>;
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #file: { path: string; handle: FileHandle } | undefined;

  readonly #dropped: (spool: CopySpool) => void;

  constructor(path: () => Promise<string>, dropped: (spool: CopySpool) => void) {
    this.#path = path;
    this.#dropped = dropped;
  }

  async append(bytes: Uint8Array): Promise<void> {
    if (this.#file) return void (await this.#file.handle.write(bytes));
    this.#pieces.push(Uint8Array.from(bytes));
    this.#bytes += bytes.length;
    if (this.#bytes <= memoryBytesMax) return;
    const path = await this.#path();
    this.#file = { path, handle: await open(path, 'wx', 0o600) };
    for (const piece of this.#pieces) await this.#file.handle.write(piece);
    this.#pieces = [];
  }

  async *read(): AsyncGenerator<Uint8Array> {
    if (this.#file) yield* createReadStream(this.#file.path) as AsyncIterable<Uint8Array>;
    else yield* this.#pieces;
  }

  async drop(): Promise<void> {
    this.#pieces = [];
    await this.#file?.handle.close();
    if (this.#file) await rm(this.#file.path);
    this.#file = undefined;
    this.#dropped(this);
  }
}

/** A folder for spools, made when the first one needs it. */
export class CopySpools implements AsyncDisposable {
  #folder: Promise<string> | undefined;
  #made = 0;
  /** Those that are not dropped yet. */
  readonly #spools = new Set<CopySpool>();

  spool = (): CopySpool => {
    const path = async () => {
      this.#folder ??= mkdtemp(join(tmpdir(), 'hoop-copy-'));
      return join(await this.#folder, String(this.#made++));
    };
    const spool = new CopySpool(path, (dropped) => this.#spools.delete(dropped));
    this.#spools.add(spool);
    return spool;
  };

  async [Symbol.asyncDispose](): Promise<void> {
    for (const spool of this.#spools) await spool.drop();
    if (this.#folder) await rm(await this.#folder, { recursive: true, force: true });
  }
}
