import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { UserError } from '../shared/errors.ts';

/** Writes the file whole or not at all. Throws HOOP_EXISTS, HOOP_USAGE. */
export async function exportTo(path: string, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  const part = `${path}.part`;
  const file = await open(part, 'wx', 0o600).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'EEXIST') throw unwritable(path, cause);
    throw new UserError('HOOP_EXISTS', `${part} is there already`, {
      next: 'remove it, or choose another --out',
      cause,
    });
  });
  try {
    await writeAll(file, bytes);
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

async function writeAll(file: FileHandle, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    for await (const chunk of bytes) await file.write(chunk);
  } finally {
    await file.close();
  }
}

const unwritable = (path: string, cause: Error): UserError =>
  new UserError('HOOP_USAGE', `${path} cannot be written: ${cause.message}`, { next: 'choose another --out', cause });
