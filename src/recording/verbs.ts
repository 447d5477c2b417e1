/**
 * Messages that prepare or frame statements of theirs. They are recorded like all others, but a person reading a recording asks
 * for what was executed: these show only where they failed on their own.
 */
const framing: ReadonlySet<string> = new Set([
  'parse',
  'bind',
  'describe',
  'close',
  'sync',
  'flush',
  'copy-done',
  'copy-fail',
  'terminate',
]);

export const executes = (verb: string): boolean => !framing.has(verb);
