import type { PositionalReader } from './sealed-reader.ts';
import { CutOff } from './verify-session.ts';

/** POSIX ustar, as much of it as one file of files needs: `tar -xf` and Python's tarfile read it. */
const blockBytes = 512;

/** The header of a file; its bytes follow, then `tarPadding`. */
export function tarHeader(name: string, size: number): Buffer {
  const header = Buffer.alloc(blockBytes);
  header.write(name, 0, 100, 'ascii');
  header.write('0000444\0', 100, 'ascii');
  header.write('0000000\0'.repeat(2), 108, 'ascii');
  header.write(`${size.toString(8).padStart(11, '0')}\0`, 124, 'ascii');
  header.write('00000000000\0', 136, 'ascii');
  header.write(' '.repeat(8), 148, 'ascii');
  header.write('0', 156, 'ascii');
  header.write('ustar\u000000', 257, 'ascii');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'ascii');
  return header;
}

export const tarPadding = (size: number): Buffer => Buffer.alloc((blockBytes - (size % blockBytes)) % blockBytes);
export const tarEnd: Buffer = Buffer.alloc(2 * blockBytes);

export interface TarMember {
  name: string;
  reader: PositionalReader;
}

/** The members of a file that this module has written. Throws CutOff without its end, RangeError on anything else. */
export async function readTar(file: PositionalReader): Promise<TarMember[]> {
  const end = Buffer.from(await file.read(Math.max(0, file.size - tarEnd.length), tarEnd.length));
  if (!end.equals(tarEnd) || file.size % blockBytes !== 0) throw new CutOff('the file has lost its end');
  const members: TarMember[] = [];
  const contentEnd = file.size - tarEnd.length;
  for (let at = 0; at < contentEnd;) {
    const header = Buffer.from(await file.read(at, blockBytes));
    const name = header.toString('ascii', 0, 100).replace(/\0+$/, '');
    const size = Number.parseInt(header.toString('ascii', 124, 135), 8);
    if (!Number.isSafeInteger(size) || !header.equals(tarHeader(name, size)))
      throw new RangeError(`no member begins at byte ${at}`);
    const start = at + blockBytes;
    const padding = tarPadding(size);
    at = start + size + padding.length;
    if (at > contentEnd) throw new CutOff(`${name} is not whole`);
    if (!padding.equals(Buffer.from(await file.read(start + size, padding.length))))
      throw new RangeError(`there is something behind ${name}`);
    members.push({
      name,
      reader: { size, read: (offset, bytes) => file.read(start + offset, Math.min(bytes, Math.max(0, size - offset))) },
    });
  }
  return members;
}
