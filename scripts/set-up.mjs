// What `npm start` and `npm test` share: install and build, with Node's own modules only, because node_modules may be absent.
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const say = (line) => process.stderr.write(`${line}\n`);

/** Runs a program to its end; ends this process with its exit code when it fails. */
export function run(file, args, { env = {}, quiet = false } = {}) {
  const result = spawnSync(file, args, {
    cwd: root,
    stdio: quiet ? ['ignore', 'pipe', 'pipe'] : ['inherit', 2, 2],
    env: { ...process.env, ...env },
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (result.error) throw result.error;
  if (result.status === 0) return;
  if (quiet) process.stderr.write(`${result.stdout}${result.stderr}`);
  say(`${file} ${args.join(' ')} failed`);
  process.exit(result.status ?? 1);
}

export function installAndBuild() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    say(`hoop needs Node 20.19 or newer; this is ${process.version}`);
    process.exit(1);
  }
  if (!isElsewhere('node_modules') && isOlder('node_modules/.package-lock.json', [join(root, 'package-lock.json')])) {
    say('installing packages (once) …');
    run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { quiet: true });
  }
  const stamp = 'dist/.built';
  if (isOlder(stamp, [join(root, 'src'), join(root, 'scripts/bundle.mjs'), join(root, 'package.json')])) {
    say('building …');
    run(process.execPath, ['scripts/bundle.mjs'], { quiet: true });
    writeFileSync(join(root, stamp), '');
  }
}

/** A link into another checkout: `npm ci` would empty that one. */
const isElsewhere = (path) => lstatSync(join(root, path), { throwIfNoEntry: false })?.isSymbolicLink() === true;

/** Is the stamp missing, or older than any of the files (folders: all below)? */
function isOlder(stamp, files) {
  const path = join(root, stamp);
  if (!existsSync(path)) return true;
  const made = statSync(path).mtimeMs;
  return files.some((file) => newest(file) > made);
}

function newest(path) {
  const found = statSync(path);
  if (!found.isDirectory()) return found.mtimeMs;
  return Math.max(found.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))));
}
