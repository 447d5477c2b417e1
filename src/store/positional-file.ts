import { open, type FileHandle } from 'node:fs/promises';
import type { PositionalReader } from '../recording/sealed-reader.ts';

/** Opens a file to be read at places; its handle is added to `opened`, which the caller closes. */
export async function openReader(path: string, opened: FileHandle[]): Promise<PositionalReader> {
  const file = await open(path, 'r');
  opened.push(file);
  const { size } = await file.stat();
  return {
    size,
    async read(offset, bytes) {
      const buffer = Buffer.allocUnsafe(bytes);
      const { bytesRead } = await file.read(buffer, 0, bytes, offset);
      return buffer.subarray(0, bytesRead);
    },
  };
}
