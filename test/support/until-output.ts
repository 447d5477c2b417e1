import type { ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';

const streams = new WeakMap<Readable, { text: string; checks: Set<() => void> }>();

/** Waits until a child has printed it (also before the call, when it was watched from its start); fails with what it printed instead. */
export function untilOutput(child: ChildProcess, pattern: RegExp, from: 'stdout' | 'stderr'): Promise<RegExpExecArray> {
  const seen = watchOutput(child[from]!);
  return new Promise((resolve, reject) => {
    const check = () => {
      const found = pattern.exec(seen.text);
      if (!found) return;
      seen.checks.delete(check);
      resolve(found);
    };
    seen.checks.add(check);
    child.once('close', () => reject(new Error(`ended without printing ${pattern}: ${seen.text}`)));
    check();
  });
}

/** Keeps what a stream prints for `untilOutput`. */
export function watchOutput(stream: Readable): { text: string; checks: Set<() => void> } {
  const known = streams.get(stream);
  if (known) return known;
  const seen = { text: '', checks: new Set<() => void>() };
  stream.on('data', (more: Buffer | string) => {
    seen.text += String(more);
    for (const check of seen.checks) check();
  });
  streams.set(stream, seen);
  return seen;
}
