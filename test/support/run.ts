import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';

export interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
  /** SHA-256 of what it printed, for output that is too long to keep. */
  stdoutSha256: string;
  stdoutBytes: number;
}

export interface RunOptions {
  env?: Record<string, string>;
  input?: string | Readable;
  /** How much of stdout is kept as text. */
  keepBytes?: number;
  /** Ends a program that hangs. */
  secondsMax?: number;
}

/** Runs a program to its end. */
export function run(
  file: string,
  args: string[],
  { env = {}, input, keepBytes = 1 << 20, secondsMax }: RunOptions = {},
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(secondsMax === undefined ? {} : { timeout: secondsMax * 1000 }),
    });
    const hash = createHash('sha256');
    let stdout = '';
    let stderr = '';
    let stdoutBytes = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      hash.update(chunk);
      stdoutBytes += chunk.length;
      if (stdout.length < keepBytes) stdout += chunk.toString('utf8');
    });
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr, stdoutSha256: hash.digest('hex'), stdoutBytes }));
    child.stdin.on('error', () => undefined); // a program that ends early does not read its input
    if (typeof input === 'object') input.pipe(child.stdin);
    else child.stdin.end(input ?? '');
  });
}
