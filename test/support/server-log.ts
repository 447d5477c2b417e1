import { readFileSync } from 'node:fs';
import type { Statement } from '../../src/shared/api.ts';

/** Makes a PostgreSQL write all that it executes, one JSON object a line: the oracle of what a client really made it do. */
export const logEverything = ['log_statement = all', 'log_destination = jsonlog', 'log_parameter_max_length = -1'];

/** What the server began to execute for a program (hoop puts its own name before the program's), each as `text` or `text | parameters`. The log is written before the statement runs. */
export function executed(logFile: string, from: string): string[] {
  const lines = readFileSync(logFile.replace(/\.log$/, '.json'), 'utf8')
    .split('\n')
    .slice(0, -1);
  return lines.flatMap((line) => {
    const { message = '', detail = '', application_name = '' } = JSON.parse(line) as Record<string, string>;
    const [, , text] = /^(statement|execute [^:]*): ([^]*)$/.exec(message) ?? [];
    if (text === undefined || !application_name.endsWith(from)) return [];
    const parameters = /^parameters: ([^]*)$/i.exec(detail)?.[1];
    return [parameters === undefined ? text : `${text} | ${parameters}`];
  });
}

/** The same of a recording. */
export function recorded(statements: Statement[]): string[] {
  return statements
    .filter(({ verb, text }) => (verb === 'query' || verb === 'execute') && text !== null)
    .map(({ text, parameters }) => {
      const shown = parameters.map(({ base64 }, index) => `$${index + 1} = ${quoted(base64)}`);
      return shown.length === 0 ? text! : `${text} | ${shown.join(', ')}`;
    });
}

/** Everything in the first that is not in the second, each as often as it is missing. */
export function missing(from: string[], those: string[]): string[] {
  const counts = new Map<string, number>();
  for (const one of from) counts.set(one, (counts.get(one) ?? 0) + 1);
  return those.filter((one) => {
    const left = counts.get(one) ?? 0;
    counts.set(one, left - 1);
    return left <= 0;
  });
}

const quoted = (base64: string | null) =>
  base64 === null ? 'NULL' : `'${Buffer.from(base64, 'base64').toString().replaceAll("'", "''")}'`;
