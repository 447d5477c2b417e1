import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Btrfs takes no less than 109 MiB, XFS no less than 300. */
const bytes = 400 * 1024 * 1024;

export interface MadeFilesystem {
  path: string;
  remove: () => void;
}

/**
 * A file system of that kind, empty, in a file mounted by a loop device: it takes root and `mkfs.<kind>`. `memory` is where files of tests
 * lie fastest, and takes nothing.
 */
export function makeFilesystem(kind: string): MadeFilesystem {
  if (kind === 'memory') return inMemory();
  const folder = mkdtempSync(join(tmpdir(), `hoop-${kind}-`));
  const image = join(folder, 'image');
  const path = join(folder, 'mounted');
  writeFileSync(image, '');
  truncateSync(image, bytes);
  mkdirSync(path);
  execFileSync(`mkfs.${kind}`, ['-q', image]);
  execFileSync('mount', ['-o', 'loop', image, path]);
  const remove = () => {
    execFileSync('umount', [path]);
    rmSync(folder, { recursive: true });
  };
  return { path, remove };
}

function inMemory(): MadeFilesystem {
  const path = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'hoop-memory-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
