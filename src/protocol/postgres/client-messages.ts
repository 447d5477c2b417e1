import { frontendType } from './messages.ts';

/** What a client may send once it is logged in; everything else is refused, never skipped. */
export const mayBeSent: ReadonlySet<number> = new Set([
  frontendType.bind,
  frontendType.close,
  frontendType.copyData,
  frontendType.copyDone,
  frontendType.copyFail,
  frontendType.describe,
  frontendType.execute,
  frontendType.flush,
  frontendType.functionCall,
  frontendType.parse,
  frontendType.query,
  frontendType.sync,
  frontendType.terminate,
]);

/** What runs nothing, whether the server skips it or not. */
export const runsNothing: ReadonlySet<number> = new Set([
  frontendType.copyData,
  frontendType.copyDone,
  frontendType.copyFail,
  frontendType.flush,
  frontendType.sync,
  frontendType.terminate,
]);
