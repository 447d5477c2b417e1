import { started } from './started.ts';

/** Bytes carried between two collections of what carried them: they stay within a processor's own cache. */
const carriedBytesMax = 2 * 1024 * 1024;
/** So long after the last of them the heap's bound is what V8 makes it. */
const wideMillis = 10_000;

let collect: ((how: { type: 'minor' }) => void) | undefined;
let setFlags: (flags: string) => void;
let carried = 0;
/** While the bound is wide. */
let narrowing: NodeJS.Timeout | undefined;

/**
 * For a process that carries streams, perhaps for days. Not flags of the command line: the heap is to grow while the program is loaded.
 *
 * - V8 doubles the space for new objects up to 2 × 16 MiB as soon as a burst (a hundred logins) leaves enough alive, and never makes it
 *   smaller again: a gateway at rest would hold more for that than for a thousand idle streams. What a statement leaves alive is little,
 *   so collecting more often costs nothing that can be measured.
 * - Node gives every piece that a socket brings a buffer of up to 64 KiB. V8 looks for those that are dead after 32 MiB, by which time its
 *   bound for the whole heap is passed: it marked and swept everything that is alive for each 20 MiB carried, which cost three times what
 *   carrying them did. So dead ones are looked for sooner, and while much is carried the bound is wider.
 */
export function tuneHeap(): void {
  started(); // compiled code is bound to V8's flags
  const { runInNewContext } = process.getBuiltinModule('node:vm');
  setFlags = process.getBuiltinModule('node:v8').setFlagsFromString; // not an import: a command that starts does not wait for it
  setFlags('--semi-space-growth-factor=1');
  setFlags('--expose-gc');
  collect = runInNewContext('gc') as typeof collect;
  setFlags('--no-expose-gc');
}

/** To be told of every large piece of memory that carries a stream's bytes: `bytes` were asked for. */
export function countCarried(bytes: number): void {
  carried += bytes;
  if (carried < carriedBytesMax) return;
  carried = 0;
  if (!collect) return;
  collect({ type: 'minor' });
  if (narrowing) return void narrowing.refresh();
  setFlags('--heap-growing-percent=300');
  narrowing = setTimeout(() => {
    setFlags('--heap-growing-percent=0'); // V8's own
    narrowing = undefined;
  }, wideMillis).unref();
}
