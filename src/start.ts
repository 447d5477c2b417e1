import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { loadCompiled } from './load-compiled.ts';
import { quietPipes } from './quiet-pipes.ts';
import { version } from './shared/version.ts';

/** What a bundle of one command offers (scripts/bundle.mjs makes it): see decision 0074. */
interface Quick {
  run(root: string, keepCompiled: (() => void) | undefined): Promise<never>;
}

/** Commands that somebody waits for, many times a day: each has a file with all that it needs, and V8's compiled form of it. */
const quick = new Set(['connect', 'mcp', 'run', 'sessions']);

/** `hoop`, from the first word to the exit code. `root` is the folder of package.json. */
export async function start(root: string): Promise<void> {
  quietPipes();
  const words = process.argv.slice(2);
  if (words.length === 1 && words[0] === '--version') return sayVersion();
  const name = quickName(words);
  if (name === undefined) return (await import('./run-any.ts')).runAny(root);
  const file = join(root, `dist/quick/${name}.cjs`);
  // The bundle has an import of its own: a script has none.
  const importModule = (specifier: string): Promise<unknown> => import(specifier);
  const { exports, keep } = loadCompiled(file, { folder: cacheDir(process.env), importModule });
  await (exports as Quick).run(root, keep);
}

/** Help is oclif's, and so are words behind a topic. */
function quickName([name, next, ...rest]: string[]): string | undefined {
  if (name === undefined || !quick.has(name) || [next, ...rest].includes('--help')) return undefined;
  return name === 'sessions' && next !== undefined && !next.startsWith('-') ? undefined : name;
}

/** Other programs ask it often. In oclif's form. */
function sayVersion(): void {
  process.stdout.write(`hoop/${version} ${process.platform}-${process.arch} node-${process.version}\n`);
}

/** Where oclif has it too. */
function cacheDir({ XDG_CACHE_HOME: xdg, LOCALAPPDATA: local }: NodeJS.ProcessEnv): string {
  const base = xdg && isAbsolute(xdg) ? xdg : process.platform === 'win32' && local ? local : join(homedir(), '.cache');
  return join(base, 'hoop');
}
