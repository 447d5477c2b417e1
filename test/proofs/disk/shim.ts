import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const source = fileURLToPath(new URL('./shim.c', import.meta.url));
const compiler = ['/usr/bin/gcc', '/usr/bin/cc'].find((path) => existsSync(path));

/** What stands between a program and its disk takes Linux and a C compiler. */
export const shimWorks = process.platform === 'linux' && compiler !== undefined;

export function buildShim(target: string): string {
  execFileSync(compiler!, ['-O1', '-shared', '-fPIC', '-o', target, source, '-ldl', '-lpthread']);
  return target;
}

export interface ShimOptions {
  shim: string;
  root: string;
  log: string;
  /** The n-th operation fails, counted from 1: with this errno, or by taking only half of a write. */
  fail?: { operation: number; how: number | 'short' };
  /** Every sync takes so much longer. */
  syncMillis?: number;
}

/** The environment in which a program runs above the shim. */
export const shimEnvironment = ({ shim, root, log, fail, syncMillis = 0 }: ShimOptions): Record<string, string> => ({
  LD_PRELOAD: shim,
  HOOP_SHIM_ROOT: root,
  HOOP_SHIM_LOG: log,
  ...(fail && { HOOP_SHIM_FAIL: `${fail.operation}:${fail.how}` }),
  HOOP_SHIM_SYNC_MILLIS: String(syncMillis),
  // Writes that go to the kernel through a ring are not seen.
  UV_USE_IO_URING: '0',
});
