import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Runs this very hoop's command line, its output on our terminal. Resolves when it has ended. */
export function runHoop(args: string[]): Promise<void> {
  const entry = fileURLToPath(new URL('../../bin/run.js', import.meta.url));
  const child = spawn(process.execPath, [entry, ...args], { stdio: ['ignore', 'inherit', 'inherit'] });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`hoop ${args[0]} ended with ${code}`))));
  });
}
