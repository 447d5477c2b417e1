import { version } from './shared/version.ts';
import { terminalSafeJson } from './ui/escape-control.ts';
import { asUserError, debugStack, errorBody, errorLines, exitCodeOf, requestedExit } from './ui/print-error.ts';

/** The command line from start to exit code. `entry` is the URL of bin/run.js, beside which package.json lies. */
export async function runCli(entry: string): Promise<never> {
  quietPipes();
  interrupts();
  try {
    const words = process.argv.slice(2);
    if (isVersionAsked(words)) sayVersion();
    else await (await import('./run-oclif.ts')).run(asksForHelp(words), entry);
  } catch (error) {
    process.exitCode = requestedExit(error) ?? report(error);
  }
  await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
  // A keychain that waits for its owner must not hold the process.
  process.exit();
}

/** Answered before anything is loaded: other programs ask it often. In oclif's form. */
function sayVersion(): void {
  process.stdout.write(`hoop/${version} ${process.platform}-${process.arch} node-${process.version}\n`);
}

const isVersionAsked = ([first, ...rest]: string[]): boolean => first === '--version' && rest.length === 0;

/** `hoop help users create` is what people type too. */
const asksForHelp = ([first, ...rest]: string[]): string[] =>
  first === 'help' ? [...rest, '--help'] : [...(first === undefined ? [] : [first]), ...rest];

/** Only what no command caught: a command that does not exist, a broken installation. */
function report(error: unknown): number {
  const shown = asUserError(error);
  const stack = debugStack(error, process.env);
  if (stack !== undefined) process.stderr.write(`${stack}\n`);
  if (process.argv.includes('--json')) process.stdout.write(`${terminalSafeJson(errorBody(shown), 2)}\n`);
  else process.stderr.write(`${errorLines(shown)}\n`);
  return exitCodeOf(shown);
}

/** `hoop replay … | head`: the reader has enough, and that is no error. */
function quietPipes(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit();
      throw error;
    });
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
