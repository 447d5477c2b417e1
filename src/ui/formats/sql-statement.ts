import { parameterText } from '../../protocol/postgres/render.ts';
import type { Statement } from '../../shared/api.ts';
import { plainStatements, sqlLiteral } from './psql-text.ts';
import { typeName } from './psql-types.ts';
import type { ScriptItem } from './script-items.ts';

/** How a script does the same again; `why not` in words where it cannot. */
export type Again =
  | { can: true; sql: string; transaction: 'begins' | 'ends' | undefined }
  | { can: false; why: string; failsTransaction: boolean };

const no = (why: string, failsTransaction = false): Again => ({ can: false, why, failsTransaction });

/** Failures that are of the moment, not of the statement: running it again could succeed. (Cancelled, deadlock, no lock, no resources.) */
const momentary = /^(40|53|55P03|57|58|XX)/;

export function runAgain({ statement, portal, data }: ScriptItem): Again {
  const { verb, outcome, erased, redactions, resolved, dataBytes } = statement;
  if (erased) return no('it was erased');
  if (verb === 'cancel') return no('a cancel is of the moment');
  const { status, errorCode = '' } = outcome ?? { status: 'unknown' };
  if (status === 'refused') return no('it was never forwarded');
  if (status === 'skipped') return no('it was skipped after an error before it');
  if (status === 'unknown') return no('whether it took effect was never heard');
  if (status === 'cancelled' || momentary.test(errorCode))
    return no('what stopped it was of the moment, not of the statement', true);
  if (redactions !== undefined) return no('something of it was withheld from the record');
  if (resolved === false) return no('what its name stood for is not certain');
  if (verb === 'function-call') return no('it is a function call by number, which no SQL does');
  if (verb === 'execute' && portal === 'continued') return no('more rows of what has run above');
  if (verb === 'execute' && portal === 'unknown') return no('it names what SQL has made');
  const text = textOf(statement);
  if (text === undefined) return no('its text is in an encoding that cannot be read here');
  if (dataBytes !== undefined && !data) return no('its COPY data is not at hand');
  return verb === 'query' ? query(statement, text) : prepared(statement, text);
}

function textOf({ text, textBase64, encoding }: Statement): string | undefined {
  if (textBase64 === undefined || text === null) return text ?? undefined;
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(Buffer.from(textBase64, 'base64'));
  } catch {
    return undefined;
  }
}

function query(statement: Statement, text: string): Again {
  const plain = plainStatements(text);
  if (plain?.length === 0) return no('it is empty');
  const transaction = transactionOf(statement, text);
  // What \gexec needs a SELECT for could not be sent where a transaction has failed: its end is written out.
  if (!plain && transaction === 'ends' && !/;|\bto\b|chain|prepared/i.test(text))
    return { can: true, sql: statement.outcome?.tag === 'COMMIT' ? 'COMMIT;' : 'ROLLBACK;', transaction };
  return { can: true, sql: plain ? `${plain.join('\\; ')};` : indirect(text), transaction };
}

/** Sent by psql as the text says, byte by byte, without being read by psql. */
const indirect = (text: string): string => `SELECT ${sqlLiteral(text)} \\gexec`;

/** What drivers send in binary without saying what it is are bytes; where they were not, the server refuses the type that is declared here. */
const bytea = 17;

function prepared(statement: Statement, text: string): Again {
  const plain = plainStatements(text);
  if (plain && plain.length > 1) return no('a server takes one statement at a time in this way', true);
  if (plain?.length === 0) return no('it is empty');
  const { parameters, seq } = statement;
  if (parameters.length === 0) return query(statement, text);
  const types = parameters.map(({ type, format, base64 }) =>
    type === 0 && format === 1 && base64 !== null ? bytea : type,
  );
  const values = parameters.map(({ format, base64 }, index) => {
    if (base64 === null) return 'NULL';
    const value = parameterText(types[index] ?? 0, format, Buffer.from(base64, 'base64'));
    return value === undefined ? undefined : sqlLiteral(value);
  });
  const unreadable = values.indexOf(undefined);
  if (unreadable >= 0) return no(`$${unreadable + 1} is in a binary form that has no text here`);
  const names = types.map(typeName);
  const declared = names.every((name) => name === 'unknown') ? '' : ` (${names.join(', ')})`;
  const name = `hoop_${seq}`;
  const prepare = `PREPARE ${name}${declared} AS ${plain?.[0] ?? text}`;
  const first = plain ? `${prepare};` : indirect(prepare);
  const sql = [first, `EXECUTE ${name} (${values.join(', ')});`, `DEALLOCATE ${name};`].join('\n');
  return { can: true, sql, transaction: undefined };
}

/** By what the server said it did. */
function transactionOf({ outcome }: Statement, text: string): 'begins' | 'ends' | undefined {
  let now: 'begins' | 'ends' | undefined;
  for (const tag of (outcome?.tag ?? '').split('; ')) {
    if (tag === 'BEGIN' || tag === 'START TRANSACTION') now = 'begins';
    if (!['COMMIT', 'ROLLBACK', 'PREPARE TRANSACTION'].includes(tag) || /\bto\b/i.test(text)) continue;
    now = /\bchain\b/i.test(text) && !/no\s+chain/i.test(text) ? 'begins' : 'ends';
  }
  return now;
}
