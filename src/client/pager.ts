import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** Where text goes that may be longer than the screen. */
export interface Outlet {
  /** False where nobody reads any more. */
  write(text: string): Promise<boolean>;
  /** Resolves when whoever reads has left. */
  end(): Promise<void>;
}

/** A write for every line would cost more than the line. */
const pieceCharacters = 32 * 1024;

/** Writes as it comes, until the end or until nobody reads any more. */
export async function writeAll(pieces: AsyncIterable<string>, outlet: Outlet): Promise<void> {
  let held = '';
  let enough = 0; // the first piece is to be seen at once
  try {
    for await (const piece of pieces) {
      held += piece;
      if (held.length < enough) continue;
      enough = pieceCharacters;
      const isRead = await outlet.write(held);
      held = '';
      if (!isRead) return;
    }
  } finally {
    if (held !== '') await outlet.write(held);
    await outlet.end();
  }
}

/** As git's: leave at once what fits on the screen, let colours through, leave the text there. */
const lessFlags = 'FRX';

/**
 * On a terminal the pager that the environment names (HOOP_PAGER, then PAGER; `cat` or nothing for none), else less; where there is none,
 * and everywhere else, the stream itself.
 */
export async function openOutlet(
  stdout: NodeJS.WriteStream,
  isForPeople: boolean,
  environment = process.env,
): Promise<Outlet> {
  const wanted = environment['HOOP_PAGER'] ?? environment['PAGER'] ?? 'less';
  const isWanted =
    isForPeople && stdout.isTTY && environment['TERM'] !== 'dumb' && wanted.trim() !== '' && wanted.trim() !== 'cat';
  const pager = isWanted ? await started(wanted, { LESS: lessFlags, LESSCHARSET: 'utf-8', ...environment }) : undefined;
  if (!pager?.stdin) return { write: (text) => written(stdout, text), end: async () => undefined };
  const { stdin } = pager;
  const left = pager.exitCode === null ? once(pager, 'close') : Promise.resolve();
  // Ctrl-C is the pager's: it stops a search in it, and its reader is still there.
  const stay = () => undefined;
  process.on('SIGINT', stay);
  return {
    write: (text) => written(stdin, text),
    end: async () => {
      stdin.end();
      await left;
      process.off('SIGINT', stay);
    },
  };
}

/** Undefined where it cannot be started. What PAGER says may have arguments: the shell reads it, as everywhere. */
async function started(command: string, env: NodeJS.ProcessEnv): Promise<ChildProcess | undefined> {
  const pager = spawn(command, { stdio: ['pipe', 'inherit', 'inherit'], env, shell: /\s/.test(command) });
  pager.stdin.on('error', () => undefined); // whoever reads has left: `write` says so
  const isThere = await new Promise<boolean>((resolve) => {
    pager.once('spawn', () => resolve(true));
    pager.once('error', () => resolve(false));
  });
  return isThere ? pager : undefined;
}

/** Waits while the reader is slower than we are, so that a long recording does not pile up in memory. */
async function written(to: NodeJS.WritableStream, text: string): Promise<boolean> {
  if (!to.writable) return false;
  if (to.write(text)) return true;
  return new Promise((resolve) => {
    const settle = () => {
      to.off('drain', settle).off('close', settle).off('error', settle);
      resolve(to.writable);
    };
    to.on('drain', settle).on('close', settle).on('error', settle);
  });
}
