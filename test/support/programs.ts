import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Is a real program that a test drives on PATH? Where it is not, that is said loudly: `test.runIf(hasProgram('psql'))`. */
export function hasProgram(program: string): boolean {
  const found = (process.env['PATH'] ?? '').split(delimiter).some((folder) => isExecutable(join(folder, program)));
  if (!found) process.stderr.write(`NOT CHECKED: what ${program} sees (it is not installed on this machine)\n`);
  return found;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
