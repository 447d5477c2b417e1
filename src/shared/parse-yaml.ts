import { parse as parseYaml, YAMLParseError } from 'yaml';
import { UserError } from './errors.ts';

/** Any YAML text; a syntax fault is a HOOP_CONFIG with its line. */
export function parseYamlText(text: string, path: string): unknown {
  try {
    return parseYaml(text) ?? {};
  } catch (cause) {
    if (!(cause instanceof YAMLParseError)) throw cause;
    const line = cause.linePos?.[0].line;
    throw new UserError(
      'HOOP_CONFIG',
      `${path}${line ? `:${line}` : ''}: not valid YAML: ${cause.message.split('\n')[0]}`,
      {
        next: 'correct the line',
        cause,
      },
    );
  }
}
