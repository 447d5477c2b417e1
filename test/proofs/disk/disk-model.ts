import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** What shim.c wrote down. */
export type Operation =
  | { kind: 'open'; file: number; path: string }
  | { kind: 'write'; file: number; offset: number; bytes: Buffer }
  | { kind: 'truncate'; file: number; size: number }
  | { kind: 'sync-begin' | 'sync'; file: number }
  | { kind: 'syncdir-begin' | 'syncdir' | 'unlink' | 'mkdir'; path: string }
  | { kind: 'rename'; from: string; to: string }
  | { kind: 'failed' }
  | { kind: 'said'; text: string };

/** The log of a process that was killed may end within an operation: that one did not happen. */
export function readOperations(log: Buffer): Operation[] {
  const operations: Operation[] = [];
  for (let at = 0; ;) {
    const end = log.indexOf('\n', at);
    if (end < 0) return operations;
    const [kind, ...words] = log.toString('utf8', at, end).split(' ');
    at = end + 1;
    const dataBytes = kind === 'write' ? Number(words[2]) : kind === 'said' ? Number(words[0]) : 0;
    if (at + dataBytes > log.length) return operations;
    operations.push(operation(kind!, words, log.subarray(at, at + dataBytes)));
    at += dataBytes;
  }
}

function operation(kind: string, words: string[], bytes: Buffer): Operation {
  const [first = '', second = ''] = words;
  switch (kind) {
    case 'open':
      return { kind, file: Number(first), path: second };
    case 'write':
      return { kind, file: Number(first), offset: Number(second), bytes };
    case 'truncate':
      return { kind, file: Number(first), size: Number(second) };
    case 'sync-begin':
    case 'sync':
      return { kind, file: Number(first) };
    case 'syncdir-begin':
    case 'syncdir':
    case 'unlink':
    case 'mkdir':
      return { kind, path: first };
    case 'rename':
      return { kind, from: first, to: second };
    case 'failed':
      return { kind };
    case 'said':
      return { kind, text: bytes.toString('utf8') };
    default:
      throw new Error(`the log has an operation that nobody knows: ${kind}`);
  }
}

/** What the disk makes of that which was not synced when the power went. */
export type Loss = 'only synced' | 'random subset' | 'torn last write' | 'lost directory entries';

interface Change {
  at: number;
  apply: (content: Buffer) => Buffer;
  /** Of a write: as much of it as got there. */
  cut?: (part: number) => (content: Buffer) => Buffer;
}

interface Inode {
  stable: Buffer;
  pending: Change[];
}

interface EntryChange {
  at: number;
  parent: string;
  apply: (entries: Map<string, Inode | 'directory'>) => void;
}

/**
 * A disk that keeps only its promises: what was written before an fsync began is there after it ended; names are there after an fsync
 * of their directory. Everything else may be there, or not, or in part, in any order. `apply` follows the process, `afterPowerLoss`
 * says what is found on the disk if the power goes now.
 */
export class DiskModel {
  readonly #root: string;
  readonly #files = new Map<number, Inode>();
  readonly #begun = new Map<number | string, number>();
  /** As the process sees it. */
  readonly #live = new Map<string, Inode | 'directory'>();
  /** As it is on the disk for certain. */
  readonly #stable = new Map<string, Inode | 'directory'>();
  #pendingEntries: EntryChange[] = [];
  #at = 0;
  /** Everything that the process said so far. */
  said = '';

  /** Begins with what lies in the directory. */
  constructor(root: string) {
    this.#root = root;
    for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (path.includes('.db')) continue;
      const inode = entry.isDirectory() ? ('directory' as const) : { stable: readFileSync(path), pending: [] };
      this.#live.set(path, inode);
      this.#stable.set(path, inode);
    }
  }

  apply(operation: Operation): void {
    const at = ++this.#at;
    switch (operation.kind) {
      case 'open':
        return this.#open(operation.file, operation.path);
      case 'write':
        return void this.#files.get(operation.file)?.pending.push(writing(at, operation.offset, operation.bytes));
      case 'truncate':
        return void this.#files.get(operation.file)?.pending.push({ at, apply: resized(operation.size) });
      case 'sync-begin':
        return void this.#begun.set(operation.file, at);
      case 'syncdir-begin':
        return void this.#begun.set(operation.path, at);
      case 'sync':
        return this.#synced(operation.file);
      case 'syncdir':
        return this.#directorySynced(operation.path);
      case 'unlink':
        return this.#enter(operation.path, (entries) => entries.delete(operation.path));
      case 'mkdir':
        return this.#enter(operation.path, (entries) => entries.set(operation.path, 'directory'));
      case 'rename':
        return this.#rename(operation.from, operation.to);
      case 'failed':
        return;
      case 'said':
        this.said += operation.text;
    }
  }

  /** Writes what is on the disk to another directory. `random`: a number in [0, 1). */
  afterPowerLoss(directory: string, loss: Loss, random: () => number): void {
    const entries = new Map(this.#stable);
    const made = new Set([this.#root]);
    const kept = { 'only synced': 0, 'lost directory entries': 0, 'random subset': 0.5, 'torn last write': 1 }[loss];
    for (const change of this.#pendingEntries) if (random() < kept) change.apply(entries);
    for (const [path, inode] of [...entries].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      const target = join(directory, relative(this.#root, path));
      if (!made.has(dirname(path))) continue; // nor is anything in a folder that is not there itself
      if (inode === 'directory') made.add(path);
      if (inode === 'directory') mkdirSync(target);
      else writeFileSync(target, contentAfter(inode, loss, random));
    }
  }

  #open(file: number, path: string): void {
    const known = this.#live.get(path);
    const inode: Inode = known && known !== 'directory' ? known : { stable: Buffer.alloc(0), pending: [] };
    this.#files.set(file, inode);
    if (inode !== known) this.#enter(path, (entries) => entries.set(path, inode));
  }

  #rename(from: string, to: string): void {
    const inode = this.#live.get(from);
    if (inode === undefined) throw new Error(`${from} is renamed and was never made`);
    this.#enter(to, (entries) => {
      entries.delete(from);
      entries.set(to, inode);
    });
  }

  #enter(path: string, apply: EntryChange['apply']): void {
    apply(this.#live);
    this.#pendingEntries.push({ at: this.#at, parent: dirname(path), apply });
  }

  #synced(file: number): void {
    const inode = this.#files.get(file);
    const begun = this.#begun.get(file) ?? 0;
    if (!inode) return;
    for (const { at, apply } of inode.pending) if (at < begun) inode.stable = apply(inode.stable);
    inode.pending = inode.pending.filter(({ at }) => at > begun);
  }

  #directorySynced(path: string): void {
    const begun = this.#begun.get(path) ?? 0;
    const done = (change: EntryChange) => change.parent === path && change.at < begun;
    for (const change of this.#pendingEntries) if (done(change)) change.apply(this.#stable);
    this.#pendingEntries = this.#pendingEntries.filter((change) => !done(change));
  }
}

function contentAfter({ stable, pending }: Inode, loss: Loss, random: () => number): Buffer {
  if (loss === 'only synced') return stable;
  let content = stable;
  for (const [index, change] of pending.entries()) {
    const last = index === pending.length - 1;
    const torn = change.cut && ((loss === 'torn last write' && last) || (loss === 'random subset' && random() < 0.25));
    if (loss === 'random subset' && random() < 0.5) continue;
    content = (torn ? change.cut!(random()) : change.apply)(content);
  }
  return content;
}

const writing = (at: number, offset: number, bytes: Buffer): Change => ({
  at,
  apply: (content) => overwritten(content, offset, bytes),
  cut: (part) => (content) => overwritten(content, offset, bytes.subarray(0, Math.floor(part * bytes.length))),
});

function overwritten(content: Buffer, offset: number, bytes: Buffer): Buffer {
  const size = Math.max(content.length, offset + bytes.length);
  const changed = Buffer.alloc(size);
  content.copy(changed);
  bytes.copy(changed, offset);
  return changed;
}

const resized =
  (size: number) =>
  (content: Buffer): Buffer => {
    const changed = Buffer.alloc(size);
    content.copy(changed);
    return changed;
  };
