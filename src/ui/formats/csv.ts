import type { Session, Statement } from '../../shared/api.ts';
import { escapeControl } from '../escape-control.ts';

type Value = string | number | undefined | null;

const columns: [title: string, value: (statement: Statement, session: Session) => Value][] = [
  ['session', ({ session }) => session],
  ['user', (_, { user }) => user],
  ['actor', (_, { actor }) => actor],
  ['resource', (_, { resource }) => resource],
  ['seq', ({ seq }) => seq],
  ['stream', ({ stream }) => stream],
  ['at', ({ at }) => at],
  ['verb', ({ verb }) => verb],
  ['statement', ({ text }) => text],
  ['parameters', parametersOf],
  ['status', ({ outcome, erased }) => (erased ? 'erased' : outcome?.status)],
  ['tag', ({ outcome }) => outcome?.tag],
  ['rows', ({ outcome }) => outcome?.rows],
  ['error_code', ({ outcome }) => outcome?.errorCode],
  ['error_message', ({ outcome }) => outcome?.errorMessage],
  ['duration_micros', ({ outcome }) => outcome?.durationMicros],
  ['copy_bytes', ({ dataBytes }) => dataBytes],
  ['withheld', ({ redactions }) => redactions?.join(', ')],
];

function parametersOf({ parameters, arguments: words, text }: Statement): string {
  if (words && text === null) return words.join(' ');
  return parameters.map(({ shown }, index) => `$${index + 1} = ${shown}`).join('\n');
}

/** RFC 4180, one statement a row, in UTF-8. What a spreadsheet would take for a formula is text in it (an apostrophe goes first). */
export async function* csv(session: Session, statements: AsyncIterable<Statement>): AsyncGenerator<string> {
  yield row(columns.map(([title]) => title));
  for await (const statement of statements) yield row(columns.map(([, value]) => value(statement, session)));
}

const row = (values: Value[]): string => `${values.map(cell).join(',')}\r\n`;

/** https://owasp.org/www-community/attacks/CSV_Injection; full-width signs are signs too, and space before one does not help. */
const formula = /^[\s'"]*[=+\-@\uFF1D\uFF0B\uFF0D\uFF20|%]/;

function cell(value: Value): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'number') return String(value);
  const shown = escapeControl(value, { multiline: true });
  const text = formula.test(shown) || /^[\t\n]/.test(shown) ? `'${shown}` : shown;
  return /[",\n;\t']|^ | $/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
