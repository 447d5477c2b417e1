import { headerBytes } from './messages.ts';

/** PostgreSQL's FirstNormalObjectId: types below it are the server's own, and have the same number everywhere. */
const ownTypesFrom = 16_384;

/**
 * A RowDescription, which has been checked, as the digest of a result gets it: numbers that a database gives to its own objects (tables,
 * their columns, types that somebody made) are zero, so that the same rows of a copy of the database have the same digest.
 */
export function withoutObjectNumbers(message: Uint8Array): Uint8Array {
  const copy = Buffer.from(message);
  let at = headerBytes + 2;
  for (let columns = copy.readUInt16BE(headerBytes); columns > 0; columns--) {
    at = copy.indexOf(0, at) + 1; // behind the column's name
    copy.fill(0, at, at + 6); // table, column number
    if (copy.readUInt32BE(at + 6) >= ownTypesFrom) copy.writeUInt32BE(0, at + 6);
    at += 18;
  }
  return copy;
}
