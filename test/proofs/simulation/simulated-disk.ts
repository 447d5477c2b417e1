import { dirname } from 'node:path';
import type { Disk, OpenFile } from '../../../src/store/disk.ts';
import type { World } from './world.ts';

/** Probabilities, of each operation; latencies in milliseconds. */
export interface DiskNature {
  latencyMillis: number;
  failure: number;
  short: number;
  /** Takes longer than anybody waits. */
  stall: number;
  /** A disk that says that it has written through, and has not. */
  lies?: boolean;
}

interface Write {
  at: number;
  offset: number;
  bytes: Buffer;
}

interface Inode {
  /** As programs see it. */
  live: Buffer;
  /** On the disk for certain. */
  stable: Buffer;
  pending: Write[];
  /** After a failed sync nobody may write here. */
  isFailed: boolean;
}

type Entry = Inode | 'directory';

interface EntryChange {
  at: number;
  parent: string;
  apply: (entries: Map<string, Entry>) => void;
}

const sectorBytes = 512;

/**
 * A disk that keeps only its promises: what was written before a sync began is there after it ended; names are there after a sync of
 * their directory. When the power goes, everything else is there, or not, or in part, in any order. Operations take their time, fail
 * (with or without effect), take less than they were given, or never answer; pages of a failed sync are dropped, and the next sync
 * says that all is well.
 */
export class SimulatedDisk {
  readonly #world: World;
  nature: DiskNature;
  #live = new Map<string, Entry>([['/', 'directory']]);
  #stable = new Map<string, Entry>([['/', 'directory']]);
  #changes: EntryChange[] = [];
  #under = new Set<{ inode: Inode; write: Write }>();
  #at = 0;
  /** Operations that are to be counted down to a power cut; the cut comes within the operation. */
  cutAfter = Infinity;
  onCut: () => void = () => undefined;

  constructor(world: World, nature: DiskNature) {
    this.#world = world;
    this.nature = nature;
  }

  /** Would these bytes be found if the power went now, whatever else is lost? */
  holds(bytes: Buffer, under: string): boolean {
    for (const [path, entry] of this.#stable)
      if (entry !== 'directory' && path.startsWith(under) && entry.stable.includes(bytes)) return true;
    return false;
  }

  /** Only the process ends: what it had asked for happens or not, what was not synced may still be lost. */
  loseProcess(): void {
    for (const { inode, write } of this.#under) {
      if (!this.#world.chance(0.5)) continue;
      inode.live = written(inode.live, write);
      inode.pending.push(write);
    }
    this.#under.clear();
  }

  /** The power goes. What is there afterwards is what everybody finds. */
  losePower(): void {
    const { random, chance } = bound(this.#world);
    const kept = [0, 0.5, 1][Math.floor(random() * 3)]!;
    for (const { inode, write } of this.#under) if (chance(0.5)) inode.pending.push(write);
    this.#under.clear();
    for (const change of this.#changes) if (chance(kept)) change.apply(this.#stable);
    this.#changes = [];
    for (const [path, entry] of [...this.#stable].toSorted(([a], [b]) => a.length - b.length)) {
      if (this.#stable.get(dirname(path)) !== 'directory') this.#stable.delete(path); // its directory is lost
      if (entry === 'directory') continue;
      for (const write of entry.pending) if (chance(kept)) settle(entry, torn(write, random));
      entry.pending = [];
      entry.isFailed = false;
      entry.live = entry.stable;
    }
    this.#live = new Map(this.#stable);
  }

  /** The disk as one process sees it. */
  mount(life: number): Disk {
    const act = <T>(fails: boolean, apply: () => T): Promise<T> => this.#act(life, fails, apply);
    const inodeAt = (path: string): Inode => {
      const entry = this.#live.get(path);
      if (!entry || entry === 'directory') throw errno('ENOENT', path);
      return entry;
    };
    return {
      nowMillis: () => this.#world.millis,
      runningMillis: () => this.#world.millis,
      open: (path, flags) =>
        act(flags === 'wx', () => {
          if (flags === 'r') return this.#opened(inodeAt(path), life);
          if (this.#live.has(path)) throw errno('EEXIST', path);
          const inode: Inode = { live: Buffer.alloc(0), stable: Buffer.alloc(0), pending: [], isFailed: false };
          this.#change(path, (entries) => entries.set(path, inode));
          return this.#opened(inode, life);
        }),
      readFile: (path) => act(true, () => Buffer.from(inodeAt(path).live)),
      list: (directory) =>
        act(true, () => {
          if (this.#live.get(directory) !== 'directory') throw errno('ENOENT', directory);
          const names = [...this.#live.keys()].filter((path) => path !== '/' && dirname(path) === directory);
          return names.map((path) => path.slice(directory === '/' ? 1 : directory.length + 1));
        }),
      sizeOf: (path) =>
        act(true, () => {
          const entry = this.#live.get(path);
          return entry && entry !== 'directory' ? entry.live.length : undefined;
        }),
      makeDirectory: (path) => act(true, () => this.#makeDirectories(path)),
      syncDirectory: async (path) => {
        const begun = this.#at++;
        await act(true, () => {
          if (this.nature.lies) return;
          const done = (change: EntryChange) => change.parent === path && change.at <= begun;
          for (const change of this.#changes) if (done(change)) change.apply(this.#stable);
          this.#changes = this.#changes.filter((change) => !done(change));
        });
      },
      rename: (from, to) =>
        act(true, () => {
          const inode = inodeAt(from);
          this.#change(to, (entries) => {
            entries.delete(from);
            entries.set(to, inode);
          });
        }),
      remove: (path) => act(true, () => this.#live.has(path) && this.#change(path, (entries) => entries.delete(path))),
    } as Disk;
  }

  #opened(inode: Inode, life: number): OpenFile {
    const taken = (buffers: Buffer[], offset: number): Write => {
      if (inode.isFailed) this.#world.violated('a file is written to after a failed sync');
      const whole = Buffer.concat(buffers);
      const short = whole.length > 1 && this.#world.chance(this.nature.short);
      const bytes = short ? whole.subarray(0, 1 + this.#world.below(whole.length - 1)) : whole;
      return { at: this.#at++, offset, bytes };
    };
    const put = (write: Write): number => {
      inode.live = written(inode.live, write);
      inode.pending.push(write);
      return write.bytes.length;
    };
    const synced = (begun: number): void => {
      if (this.nature.lies) return;
      for (const write of inode.pending) if (write.at <= begun) settle(inode, write);
      inode.pending = inode.pending.filter(({ at }) => at > begun);
    };
    /** Pages that could not be written are dropped; which of them were is not known. */
    const dropped = (): void => {
      for (const write of inode.pending) if (this.#world.chance(0.5)) settle(inode, write);
      inode.pending = [];
      inode.isFailed = true;
    };
    const begin = (): number => {
      if (inode.isFailed) this.#world.violated('a file is synced again after a failed sync');
      return this.#at++;
    };
    const sync = async (): Promise<void> => {
      const begun = begin();
      await this.#act(life, true, () => synced(begun), dropped);
    };
    return {
      write: async (buffers, offset) => {
        const under = { inode, write: taken(buffers, offset) };
        this.#under.add(under);
        const end = () => this.#under.delete(under);
        return this.#act(
          life,
          true,
          () => (end(), put(under.write)),
          () => void (end(), this.#world.chance(0.5) && put(under.write)),
        );
      },
      writeNow: (buffers, offset) => {
        const write = taken(buffers, offset);
        return this.#now(life, () => put(write));
      },
      syncContent: sync,
      syncContentNow: () => {
        const begun = begin();
        this.#now(life, () => synced(begun), dropped);
      },
      sync,
      read: (into, position) => this.#act(life, true, () => inode.live.copy(into, 0, position, position + into.length)),
      size: () => this.#act(life, true, () => inode.live.length),
      close: async () => undefined,
    };
  }

  #makeDirectories(path: string): string | undefined {
    if (this.#live.get(path) === 'directory') return undefined;
    const above = this.#makeDirectories(dirname(path));
    this.#change(path, (entries) => entries.set(path, 'directory'));
    return above ?? path;
  }

  #change(path: string, apply: EntryChange['apply']): void {
    apply(this.#live);
    this.#changes.push({ at: this.#at++, parent: dirname(path), apply });
  }

  /** One operation: takes its time, then happens or fails. A process that has ended hears nothing of it. */
  #act<T>(life: number, canFail: boolean, apply: () => T, failed = (): void => undefined): Promise<T> {
    if (life !== this.#world.life || this.#isCut()) return new Promise(() => undefined);
    const { random, chance } = bound(this.#world);
    const stalls = chance(this.nature.stall);
    const millis = stalls ? 60_000 : random() * this.nature.latencyMillis;
    return new Promise((resolve, reject) =>
      this.#world.after(
        millis,
        () => {
          try {
            resolve(this.#happens(canFail, apply, failed));
          } catch (error) {
            reject(error as Error);
          }
        },
        life,
      ),
    );
  }

  #now<T>(life: number, apply: () => T, failed = (): void => undefined): T {
    if (life !== this.#world.life || this.#isCut()) throw errno('EIO', 'the power is gone');
    return this.#happens(true, apply, failed);
  }

  #happens<T>(canFail: boolean, apply: () => T, failed: () => void): T {
    if (!canFail || !this.#world.chance(this.nature.failure)) return apply();
    failed();
    throw errno(this.#world.chance(0.5) ? 'EIO' : 'ENOSPC', 'as the simulation wants it');
  }

  #isCut(): boolean {
    if (--this.cutAfter > 0) return false;
    this.cutAfter = Infinity;
    this.onCut();
    return true;
  }
}

const bound = (world: World) => ({
  random: world.random,
  chance: (probability: number) => world.chance(probability),
});

function settle(inode: Inode, write: Write): void {
  inode.stable = written(inode.stable, write);
}

/** As a copy: who reads has what was there. */
function written(content: Buffer, { offset, bytes }: Write): Buffer {
  const changed = Buffer.alloc(Math.max(content.length, offset + bytes.length));
  content.copy(changed);
  bytes.copy(changed, offset);
  return changed;
}

/** Whole, its beginning, or some of its sectors. */
function torn(write: Write, random: () => number): Write {
  const how = random();
  if (how < 0.4) return write;
  if (how < 0.7) return { ...write, bytes: write.bytes.subarray(0, Math.floor(random() * write.bytes.length)) };
  const sector = Math.floor(random() * (write.bytes.length / sectorBytes)) * sectorBytes;
  return { ...write, offset: write.offset + sector, bytes: write.bytes.subarray(sector, sector + sectorBytes) };
}

const errno = (code: string, what: string): Error => Object.assign(new Error(`${code}: ${what}`), { code });
