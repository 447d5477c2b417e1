import { spawn } from 'node:child_process';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const entry = fileURLToPath(new URL('../../bin/run.js', import.meta.url));

/** How a person runs this very hoop: installed by its name, in a clone by its file. */
export const hoopCommand = (): string =>
  entry.includes('node_modules') ? 'hoop' : `node ${relative(process.cwd(), entry)}`;

/** Runs this very hoop's command line, its output on our terminal. Resolves when it has ended. */
export function runHoop(args: string[]): Promise<void> {
  const child = spawn(process.execPath, [entry, ...args], { stdio: ['ignore', 'inherit', 'inherit'] });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`hoop ${args[0]} ended with ${code}`))));
  });
}
