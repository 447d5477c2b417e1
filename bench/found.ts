import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

/** Where a program lies, on PATH or where systems keep their daemons; undefined where it is not installed. */
export function found(program: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, program)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
