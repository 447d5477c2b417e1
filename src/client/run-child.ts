import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { basename } from 'node:path';
import type { ConnectInfo } from '../protocol/protocol.ts';
import { UserError } from '../shared/errors.ts';

/**
 * Runs a child with extra environment, its terminal ours; resolves to its exit code (128 + number when a signal ended it).
 * The environment is the only place where the child gets the credential: never argv.
 */
export function runChild(
  command: string[],
  { environment, programArguments = {} }: Pick<ConnectInfo, 'environment' | 'programArguments'>,
): Promise<number> {
  const [file, ...own] = command;
  if (file === undefined)
    throw new UserError('HOOP_USAGE', 'no command after --', { next: 'hoop connect RESOURCE -- COMMAND' });
  const args = [...(programArguments[basename(file)] ?? []), ...own];
  const child = spawn(file, args, { stdio: 'inherit', env: { ...process.env, ...environment } });
  // The terminal sends Ctrl-C to the whole group: the child decides, we wait for it. The others come to us alone: pass them on.
  const ignore = () => undefined;
  const pass = (signal: NodeJS.Signals) => void child.kill(signal);
  process.on('SIGINT', ignore);
  process.on('SIGTERM', pass);
  process.on('SIGHUP', pass);
  return new Promise<number>((resolve, reject) => {
    child.once('error', (cause: NodeJS.ErrnoException) => {
      const why = cause.code === 'ENOENT' ? 'there is no such command' : cause.message;
      reject(
        new UserError('HOOP_USAGE', `${file} cannot be run: ${why}`, { next: 'check the command after --', cause }),
      );
    });
    child.once('exit', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  }).finally(() => {
    process.off('SIGINT', ignore);
    process.off('SIGTERM', pass);
    process.off('SIGHUP', pass);
  });
}
