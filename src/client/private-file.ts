import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { UserError } from '../shared/errors.ts';

/** The text of a file of this user, or undefined where there is none. */
export async function readPrivateFile(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw unusable(path, 'read', cause);
  }
}

/** Replaces a file at once (readers see the old text or the new one), for this user's eyes only. */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await makePrivateFolder(dirname(path));
    await writeFile(temporary, text, { mode: 0o600, flag: 'wx' });
    // The umask can take rights away, never add them; chmod says exactly.
    await chmod(temporary, 0o600);
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw unusable(path, 'written', cause);
  }
}

export async function makePrivateFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
}

export async function removePrivateFile(path: string): Promise<void> {
  await rm(path, { force: true }).catch((cause: unknown) => Promise.reject(unusable(path, 'removed', cause)));
}

function unusable(path: string, what: string, cause: unknown): UserError {
  const why = cause instanceof Error ? ((cause as NodeJS.ErrnoException).code ?? cause.message) : String(cause);
  return new UserError('HOOP_CONFIG', `${path} cannot be ${what}: ${why}`, {
    next: 'make its folder yours and writable, or set HOOP_CONFIG_DIR to another one',
    cause,
  });
}
