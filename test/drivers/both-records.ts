import { readFileSync } from 'node:fs';
import pg from 'pg';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import type { Statement } from '../../src/shared/api.ts';

/** Makes the server's log an oracle: what ran and what failed, one JSON object a line, with the process of each. */
export const logEverything = [
  'log_statement = all',
  'log_destination = jsonlog',
  'log_connections = on',
  'log_parameter_max_length = -1',
  "timezone = 'UTC'",
];

/** What happened on one connection, in order: `ran: text | $1 = '…'`, `failed: code message`. */
type Course = string[];

/** By the server's own log: the connections of one session, whose names begin with its id. */
export function coursesInLog({ logFile }: PostgresServer, session: string): Course[] {
  const lines = readFileSync(logFile!.replace(/\.log$/, '.json'), 'utf8')
    .split('\n')
    .slice(0, -1);
  const entries = lines.map((line) => JSON.parse(line) as Record<string, string>);
  const label = `hoop/${session.slice(0, 12)}/`;
  const own = new Set(
    entries.filter(({ application_name }) => application_name?.startsWith(label)).map(({ session_id }) => session_id),
  );
  const courses = new Map<string, Course>();
  for (const { session_id = '', message = '', detail = '', error_severity, state_code } of entries) {
    if (!own.has(session_id)) continue;
    const course = courses.get(session_id) ?? [];
    courses.set(session_id, course);
    const [, text] = /^(?:statement|execute [^:]*): ([^]*)$/.exec(message) ?? [];
    const parameters = /^parameters: ([^]*)$/i.exec(detail)?.[1];
    const call = /^fastpath function call: .*\(OID (\d+)\)$/.exec(message)?.[1];
    if (text !== undefined) course.push(`ran: ${text}${parameters === undefined ? '' : ` | ${parameters}`}`);
    else if (call !== undefined) course.push(`called: ${call}`);
    else if (error_severity === 'ERROR') course.push(`failed: ${state_code} ${message}`);
  }
  return [...courses.values()].filter((course) => course.length > 0);
}

/** By the record. Values are read by the server itself, from the recorded type, format and bytes, as a re-run would send them. */
export async function coursesInRecord(server: PostgresServer, statements: Statement[]): Promise<Course[]> {
  const { port, user, password, database } = server;
  const client = new pg.Client({ host: '127.0.0.1', port, user, password, database });
  await client.connect();
  const courses = new Map<number, Course>();
  for (const statement of statements) {
    const course = courses.get(statement.stream) ?? [];
    courses.set(statement.stream, course);
    const { verb, text, outcome, functionId } = statement;
    if (wasRun(statement)) {
      const values: string[] = [];
      for (const parameter of statement.parameters) values.push(await valueOf(client, parameter));
      const shown = values.map((value, index) => `$${index + 1} = ${value}`).join(', ');
      course.push(`ran: ${text}${shown === '' ? '' : ` | ${shown}`}`);
    }
    if (verb === 'function-call') course.push(`called: ${functionId}`);
    if (outcome?.status === 'error' || outcome?.status === 'cancelled')
      course.push(`failed: ${outcome.errorCode} ${outcome.errorMessage}`);
  }
  await client.end();
  return [...courses.values()].filter((course) => course.length > 0);
}

/** The server writes its log when it begins to run: not what it could not parse, nor an Execute of nothing. */
function wasRun({ verb, text, outcome }: Statement): boolean {
  if (text === null || outcome === null || outcome.status === 'skipped') return false;
  if (verb === 'query') return outcome.errorCode !== '42601';
  return verb === 'execute' && outcome.tag !== '';
}

async function valueOf(client: pg.Client, { type, format, base64 }: Statement['parameters'][number]): Promise<string> {
  if (base64 === null) return 'NULL';
  const bytes = Buffer.from(base64, 'base64');
  const { rows } = await client.query<{ name: string }>('select format_type($1, null) as name', [type || 25]);
  const value = format === 1 ? bytes : bytes.toString();
  const read = await client.query<{ text: string }>(`select format('%s', $1::${rows[0]!.name}) as text`, [value]);
  return `'${read.rows[0]!.text.replaceAll("'", "''")}'`;
}
