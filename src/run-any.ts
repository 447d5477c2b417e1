import { runCli } from './run-cli.ts';

/** Any command, help too: oclif finds it. */
export const runAny = (root: string): Promise<never> =>
  runCli(async (words) => (await import('./run-oclif.ts')).run(asksForHelp(words), root));

/** `hoop help users create` is what people type too. */
const asksForHelp = ([first, ...rest]: string[]): string[] =>
  first === 'help' ? [...rest, '--help'] : [...(first === undefined ? [] : [first]), ...rest];
