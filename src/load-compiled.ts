import { createHash } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
  type Stats,
} from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { Script } from 'node:vm';

export interface Compiled {
  exports: unknown;
  /** Keeps what V8 has compiled by now for the next start; absent where it was read, or nowhere may be written. */
  keep: (() => void) | undefined;
}

export interface CompiledPlace {
  /** Where compiled forms are kept, one file for each bundle and Node: made, when somebody's home is there. */
  folder: string;
  /** What the bundle calls for a dynamic import: a script has none. */
  importModule: (specifier: string) => Promise<unknown>;
}

const digestBytes = 32;
/** The first line of a bundle, which the build writes: `//`, SHA-256 of the rest in hex. */
const firstLineCharacters = 2 + 64 + 1;

/**
 * Runs a CommonJS bundle, from V8's compiled form of it if there is one from an earlier start: reading that takes a tenth of compiling.
 * What is kept is code, and whoever can write there can run it: so it is read and written only in a folder of this user's that nobody
 * else may write to. (Otherwise `sudo hoop` with the HOME of somebody else would run what they left.)
 *
 * File: SHA-256 of all that follows · the bundle's own SHA-256 in hex · what V8 made, which checks its own version and flags.
 */
export function loadCompiled(file: string, { folder, importModule }: CompiledPlace): Compiled {
  const source = readFileSync(file, 'latin1'); // the build leaves nothing but ASCII
  const identity = Buffer.from(source.slice(2, firstLineCharacters - 1), 'latin1');
  const path = join(folder, `${basename(file, '.cjs')}-${process.version}-${process.arch}.v8`);
  const cachedData = isSwitchedOff() ? undefined : read(path, identity);
  const script = new Script(`(function(exports,require,module,importModule){${source}\n})`, {
    filename: file,
    ...(cachedData ? { cachedData } : {}),
  });
  const module = { exports: {} as unknown };
  (script.runInThisContext() as BundleFunction)(module.exports, createRequire(file), module, importModule);
  const isRead = cachedData !== undefined && script.cachedDataRejected !== true;
  const keep = isRead || isSwitchedOff() ? undefined : () => write(path, identity, script.createCachedData());
  return { exports: module.exports, keep };
}

type BundleFunction = (
  exports: unknown,
  require: NodeJS.Require,
  module: { exports: unknown },
  importModule: CompiledPlace['importModule'],
) => void;

/** As Node has it for its own. */
const isSwitchedOff = () => Boolean(process.env['NODE_DISABLE_COMPILE_CACHE']);

function read(path: string, identity: Buffer): Buffer | undefined {
  let file: number | undefined;
  try {
    if (!isOurs(statSync(join(path, '..')))) return undefined;
    file = openSync(path, 'r');
    if (!isOurs(fstatSync(file))) return undefined;
    const kept = readFileSync(file);
    const body = kept.subarray(digestBytes);
    if (!kept.subarray(0, digestBytes).equals(digest(body))) return undefined;
    return body.subarray(0, identity.length).equals(identity) ? body.subarray(identity.length) : undefined;
  } catch {
    return undefined; // never the reason why a command does not start
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Under another name first: two may start at once. */
function write(path: string, identity: Buffer, compiled: Buffer): void {
  const folder = join(path, '..');
  const fresh = `${path}.${process.pid}`;
  try {
    if (!isOwn(nearest(folder))) return; // `sudo` with the HOME of somebody else: no folder of root's there
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (!isOurs(statSync(folder))) return;
    const body = Buffer.concat([identity, compiled]);
    writeFileSync(fresh, Buffer.concat([digest(body), body]), { flag: 'wx', mode: 0o600 });
    renameSync(fresh, path);
  } catch {
    try {
      unlinkSync(fresh);
    } catch {} // it was not made
  }
}

const digest = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/** The folder, or the one in which it would be made. */
function nearest(folder: string): Stats {
  return statSync(folder, { throwIfNoEntry: false }) ?? nearest(join(folder, '..'));
}

/** On Windows a profile's folder is its user's. */
const isOwn = ({ uid }: Stats): boolean => process.geteuid === undefined || uid === process.geteuid();
const isOurs = (found: Stats): boolean => isOwn(found) && (process.geteuid === undefined || (found.mode & 0o022) === 0);
