import type { PositionalReader } from '../recording/sealed-reader.ts';
import type { Disk, OpenFile } from './disk.ts';
import { systemDisk } from './durable.ts';

/** Opens a file to be read at places; it is added to `opened`, which the caller closes. */
export async function openReader(
  path: string,
  opened: Pick<OpenFile, 'close'>[],
  disk: Disk = systemDisk,
): Promise<PositionalReader> {
  const file = await disk.open(path, 'r');
  opened.push(file);
  return {
    size: await file.size(),
    async read(offset, bytes) {
      const buffer = Buffer.allocUnsafe(bytes);
      return buffer.subarray(0, await file.read(buffer, offset));
    },
  };
}
