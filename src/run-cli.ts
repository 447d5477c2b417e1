import { terminalSafeJson } from './ui/escape-control.ts';
import { asUserError, debugStack, errorBody, errorLines, exitCodeOf, requestedExit } from './ui/print-error.ts';

/** The command line from its words to the exit code. */
export async function runCli(runCommand: (words: string[]) => Promise<unknown>): Promise<never> {
  interrupts();
  try {
    await runCommand(process.argv.slice(2));
  } catch (error) {
    process.exitCode = requestedExit(error) ?? report(error);
  }
  await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
  // A keychain that waits for its owner must not hold the process.
  process.exit();
}

/** Only what no command caught: a command that does not exist, a broken installation. */
function report(error: unknown): number {
  const shown = asUserError(error);
  const stack = debugStack(error, process.env);
  if (stack !== undefined) process.stderr.write(`${stack}\n`);
  if (process.argv.includes('--json')) process.stdout.write(`${terminalSafeJson(errorBody(shown), 2)}\n`);
  else process.stderr.write(`${errorLines(shown)}\n`);
  return exitCodeOf(shown);
}

/** 128 + the signal's number, as shells have it; commands that end in their own way listen themselves. */
function interrupts(): void {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(code);
    });
}

const flushed = (stream: NodeJS.WriteStream): Promise<void> =>
  new Promise((resolve) => {
    if (stream.writableLength === 0 || stream.destroyed) resolve();
    else stream.write('', () => resolve());
  });
