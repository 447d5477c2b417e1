import { encodeMessage, encodeTarget, frontendType, headerBytes } from './messages.ts';

export const empty: Uint8Array = Buffer.alloc(0);

/** Answered by the server's own error 26000 / 34000, whatever SQL did before: nothing can be named "". */
export const closeUnnamed = {
  statement: encodeTarget(frontendType.close, { what: 'statement', name: empty }),
  portal: encodeTarget(frontendType.close, { what: 'portal', name: empty }),
};

export const describeUnnamed = encodeTarget(frontendType.describe, { what: 'statement', name: empty });

const bindUnnamed = encodeMessage(frontendType.bind, Uint8Array.of(0, 0));

/** The beginning of a Bind of the unnamed statement to this portal, before so many bytes of its rest. */
export function unnamedBindHead(portal: Uint8Array, restBytes: number): Uint8Array {
  const head = Buffer.allocUnsafe(bindUnnamed.length + portal.length);
  head.set(bindUnnamed);
  if (portal.length > 0) {
    head.set(portal, headerBytes);
    head[head.length - 2] = 0;
    head[head.length - 1] = 0;
  }
  head.writeInt32BE(head.length - 1 + restBytes, 1);
  return head;
}
