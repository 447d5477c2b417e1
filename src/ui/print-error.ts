import type { ApiError } from '../shared/api.ts';
import { errorCodes, exitCodes } from '../shared/error-codes.ts';
import { UserError } from '../shared/errors.ts';
import { escapeControl } from './escape-control.ts';

const reportNext = 'set HOOP_DEBUG=1 to see where, and report it with the command that you ran';

/** What oclif throws for a command line that it does not understand. */
interface CliError extends Error {
  oclif: { exit?: number };
  parse?: unknown;
}

const isCliError = (error: unknown): error is CliError =>
  error instanceof Error && typeof (error as Partial<CliError>).oclif === 'object';

/** `this.exit(3)`: nothing to say, only a code. */
export function requestedExit(error: unknown): number | undefined {
  if (!isCliError(error) || (error as { code?: unknown }).code !== 'EEXIT') return undefined;
  return error.oclif.exit ?? exitCodes.ok;
}

/** Everything that can be thrown, as what a person is told. */
export function asUserError(error: unknown, command?: string): UserError {
  if (error instanceof UserError) return error;
  if (isCliError(error)) {
    const unknown = /^command (\S+) not found$/.exec(error.message)?.[1]?.split(':');
    if (unknown) return noSuchCommand(unknown, error);
    const next = command === undefined ? 'run: hoop --help' : `run: hoop ${command} --help`;
    return new UserError('HOOP_USAGE', usageMessage(error.message), { next, cause: error });
  }
  const message = error instanceof Error ? error.message : String(error);
  return new UserError('HOOP_INTERNAL', `hoop itself failed: ${message}`, { next: reportNext, cause: error });
}

function noSuchCommand(words: string[], cause: Error): UserError {
  if (words[0]?.startsWith('-')) {
    return new UserError('HOOP_USAGE', 'flags follow the command', { next: `hoop COMMAND ${words[0]} …`, cause });
  }
  const topic = words.slice(0, -1).map((word) => ` ${word}`);
  return new UserError('HOOP_USAGE', `there is no command hoop ${words.join(' ')}`, {
    next: `run: hoop${topic.join('')} --help`,
    cause,
  });
}

/** oclif writes for a screen of its own: several lines, colours, a hint at --help. */
function usageMessage(message: string): string {
  // oxlint-disable-next-line no-control-regex -- colours of oclif
  const plain = message.replace(/\u001B\[[0-9;]*m/g, '').replace(/\n?See more help with --help\s*$/, '');
  return plain
    .replace(/^The following errors? occurred:\s*/, '')
    .replace(/^Parsing (--\S+) *\n\s*/, '$1: ')
    .replace(/^Missing (\d+) required args?:\n/, 'missing: ')
    .replace(/\nNote: [^]*$/, '') // about its own parser
    .split('\n')
    .map((line) => line.trim().replace(/ {2,}(.*)$/, ' ($1)'))
    .filter((line) => line !== '')
    .join('; ')
    .replaceAll(':;', ':');
}

/** A newer gateway may know codes that this version does not. */
export const exitCodeOf = ({ code }: UserError): number =>
  (errorCodes as Record<string, { exit: number }>)[code]?.exit ?? exitCodes.error;

export const errorBody = ({ code, message, next }: UserError): ApiError => ({
  error: { code, message, ...(next === undefined ? {} : { next }) },
});

/** `hoop: what, why` and below it the next step. Messages of other programs are in it, so control characters are made visible. */
export function errorLines({ code, message, next }: UserError): string {
  const lines = [`hoop: ${escapeControl(message)} [${code}]`];
  if (next !== undefined) lines.push(`      ${escapeControl(next)}`);
  return lines.join('\n');
}

/** The stack of our own bug, for those who ask for it. */
export function debugStack(error: unknown, environment: NodeJS.ProcessEnv): string | undefined {
  const { DEBUG, HOOP_DEBUG } = environment;
  if (!DEBUG && (!HOOP_DEBUG || HOOP_DEBUG === '0')) return undefined;
  if (!(error instanceof Error)) return undefined;
  const below = debugStack(error.cause, environment);
  const stack = error.stack ?? String(error);
  return below === undefined ? stack : `${stack}\ncaused by: ${below}`;
}
