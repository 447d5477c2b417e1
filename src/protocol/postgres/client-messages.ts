import { frontendType } from './messages.ts';

const may = 1;
const runs = 2;

/** By type: may a client send it once it is logged in, and may the server run something because of it? Every message asks. */
const kinds = new Uint8Array(256);
for (const name of ['bind', 'close', 'describe', 'execute', 'functionCall', 'parse', 'query'] as const)
  kinds[frontendType[name]] = may | runs;
for (const name of ['copyData', 'copyDone', 'copyFail', 'flush', 'sync', 'terminate'] as const)
  kinds[frontendType[name]] = may;

/** What a client may send once it is logged in; everything else is refused, never skipped. */
export const mayBeSent = (type: number): boolean => kinds[type] !== 0;

/** What runs nothing, whether the server skips it or not. */
export const runsNothing = (type: number): boolean => kinds[type] === may;
