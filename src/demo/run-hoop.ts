import { spawn } from 'node:child_process';
import { basename, relative } from 'node:path';

/** The file that Node was started with. Not found from our own place: the bundler decides where that is. */
const entry = process.argv[1] ?? 'hoop';

/** How a person runs this very hoop: installed by its name, in a clone by its file. */
export const hoopCommand = (): string =>
  basename(entry) === 'run.js' && !entry.includes('node_modules') ? `node ${relative(process.cwd(), entry)}` : 'hoop';

/** Runs this very hoop's command line, its output on our terminal. Resolves when it has ended. */
export function runHoop(args: string[]): Promise<void> {
  const child = spawn(process.execPath, [entry, ...args], { stdio: ['ignore', 'inherit', 'inherit'] });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`hoop ${args[0]} ended with ${code}`))));
  });
}
