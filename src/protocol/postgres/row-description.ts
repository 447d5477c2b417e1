import { headerBytes } from './messages.ts';

/** PostgreSQL's FirstNormalObjectId: types below it are the server's own, and have the same number everywhere. */
const ownTypesFrom = 16_384;

/**
 * A RowDescription, which has been checked, as the digest of a result gets it: numbers that a database gives to its own objects (tables,
 * their columns, types that somebody made) are zero, so that the same rows of a copy of the database have the same digest.
 */
export function withoutObjectNumbers(bytes: Uint8Array, start = 0, end = bytes.length): Uint8Array {
  const copy = Buffer.allocUnsafe(end - start);
  for (let at = start; at < end; at++) copy[at - start] = bytes[at]!;
  let at = headerBytes + 2;
  for (let columns = (copy[headerBytes]! << 8) | copy[headerBytes + 1]!; columns > 0; columns--) {
    while (at < copy.length && copy[at] !== 0) at++;
    at++; // behind the column's name
    zero(copy, at, at + 6); // table, column number
    if (copy.readUInt32BE(at + 6) >= ownTypesFrom) zero(copy, at + 6, at + 10);
    at += 18;
  }
  return copy;
}

/** A few bytes: `fill` would cost more than all else. */
function zero(bytes: Uint8Array, from: number, to: number): void {
  for (let at = from; at < to; at++) bytes[at] = 0;
}
