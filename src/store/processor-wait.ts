import { openSync, readSync } from 'node:fs';

/**
 * How long this thread was ready to run and had to wait for a processor, in milliseconds so far: the second number of the kernel's
 * schedstat (https://docs.kernel.org/scheduler/sched-stats.html). 0 where the kernel does not say. Only differences mean something. To be
 * asked by one thread only, the one that asked first.
 */
export function processorWaitMillis(): number {
  descriptor ??= opened();
  if (descriptor === none) return 0;
  const count = readSync(descriptor, text, 0, text.length, 0);
  let at = 0;
  while (at < count && text[at] !== space) at++;
  let nanos = 0;
  for (at++; at < count && text[at] !== space; at++) nanos = nanos * 10 + text[at]! - zero;
  return nanos / 1e6;
}

const none = -1;
let descriptor: number | undefined;
const text = Buffer.alloc(128);
const space = 0x20;
const zero = 0x30;

function opened(): number {
  try {
    return openSync('/proc/thread-self/schedstat', 'r');
  } catch {
    return none; // another system than Linux, or one that keeps no such account
  }
}
