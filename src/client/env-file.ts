import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { UserError } from '../shared/errors.ts';

/**
 * Writes the environment to a new file for this user alone while `use` runs. It is gone when that ends, however this process ends short
 * of SIGKILL. At once and not awaited, so that no signal comes between the file and those who wait for signals. Throws UserError.
 */
export async function withEnvFile<T>(
  path: string | undefined,
  environment: Record<string, string>,
  use: () => Promise<T>,
): Promise<T> {
  if (path === undefined) return use();
  const remove = () => rmSync(path, { force: true });
  write(path, environment);
  process.once('exit', remove);
  try {
    return await use();
  } finally {
    process.off('exit', remove);
    remove();
  }
}

function write(path: string, environment: Record<string, string>): void {
  const text = Object.entries(environment).map(([name, value]) => `${name}=${quoted(value)}\n`);
  try {
    writeFileSync(path, text.join(''), { flag: 'wx', mode: 0o600 });
    chmodSync(path, 0o600); // the umask may have taken more
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'EEXIST') {
      throw new UserError('HOOP_EXISTS', `${path} is there already, and is not overwritten`, {
        next: 'remove it, or name another file',
        cause,
      });
    }
    throw new UserError('HOOP_CONFIG', `${path} cannot be written: ${message}`, { next: 'name another file', cause });
  }
}

/** Bare where it can be: docker takes quotation marks literally; a shell needs them round anything else. */
const quoted = (value: string): string =>
  /^[\w@%+=:,./-]*$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`;
