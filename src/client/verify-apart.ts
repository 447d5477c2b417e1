import { spawn } from 'node:child_process';
import { buffer } from 'node:stream/consumers';
import * as z from 'zod';

/** What stands in a word beside a recording that is played. */
export interface Verdict {
  word: string;
  /** Undefined: it could not be found out. */
  isGood: boolean | undefined;
}

interface Choice {
  gateway?: string | undefined;
  'ca-file'?: string | undefined;
}

const said = z.object({ verdict: z.string() });
const notKnown: Verdict = { word: 'not known', isGood: undefined };
const good: ReadonlySet<string> = new Set(['VALID', 'VALID_OPEN', 'VALID_ERASED']);

/** The global flags with which the same gateway is asked. */
export const chosenGateway = ({ gateway, 'ca-file': file }: Choice): string[] => [
  ...(gateway === undefined ? [] : ['--gateway', gateway]),
  ...(file === undefined ? [] : ['--ca-file', file]),
];

/**
 * `hoop verify` of a session in a process of its own: a long recording takes its time and its memory, and whoever plays it meanwhile
 * notices neither. Ends with the signal. Never rejects.
 */
export async function verifyApart(session: string, flags: string[], signal: AbortSignal): Promise<Verdict> {
  try {
    const [, entry = ''] = process.argv;
    const child = spawn(process.execPath, [entry, 'verify', session, '--json', ...flags], {
      stdio: ['ignore', 'pipe', 'ignore'],
      signal,
    });
    child.once('error', () => undefined);
    const { verdict } = said.parse(JSON.parse((await buffer(child.stdout)).toString('utf8')));
    return { word: verdict, isGood: good.has(verdict) };
  } catch {
    return notKnown;
  }
}
