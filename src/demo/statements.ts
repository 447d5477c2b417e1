import pg from 'pg';

const statements: { text: string; values?: unknown[] }[] = [
  { text: 'select status, count(*) from orders group by status order by status' },
  {
    text: 'insert into orders (customer, item, cents, status) values ($1, $2, $3, $4) returning id',
    values: ['Lin', 'keyboard', 8900, 'open'],
  },
  { text: 'update orders set status = $1 where customer = $2', values: ['shipped', 'Ada'] },
];

/** What a coding agent might do; says each statement and its result. */
export async function askAsCursor(environment: Record<string, string>, say: (line?: string) => void): Promise<void> {
  const client = new pg.Client({
    host: environment['PGHOST'],
    port: Number(environment['PGPORT']),
    user: environment['PGUSER'],
    password: environment['PGPASSWORD'],
    database: environment['PGDATABASE'],
    application_name: 'cursor',
  });
  client.on('error', () => undefined); // the query that it ends says the same
  await client.connect();
  for (const { text, values = [] } of statements) {
    const { command, rowCount } = await client.query(text, values);
    say(`  ${text}${values.length > 0 ? `   ${JSON.stringify(values)}` : ''}  →  ${command} ${rowCount}`);
  }
  await client.end();
}
