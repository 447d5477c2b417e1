import type { McpServer } from '@modelcontextprotocol/server';
import type pg from 'pg';
import * as z from 'zod';
import { UserError } from '../../shared/errors.ts';
import type { RecordedSession } from './recorded-session.ts';
import { isTransactionControl, onConnection, runStatement, type Sql, type SqlResult } from './sql.ts';
import { declaredOf, failure, success } from './tool-call.ts';

const rowsDefault = 100;
const rowsMax = 1000;
/** What a model can read of one answer. */
const resultBytesMax = 200_000;

const text = z.string().min(1).describe('one SQL statement');
const values = z
  .array(z.union([z.string(), z.number(), z.boolean(), z.null()]))
  .optional()
  .describe('values of $1, $2, …');
const limit = z
  .number()
  .int()
  .min(1)
  .max(rowsMax)
  .optional()
  .describe(`rows to show, at most ${rowsMax}; default ${rowsDefault}`);

const readOnly = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false };
const changes = { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false };

interface SqlTool<S extends z.ZodType> {
  title: (resource: string) => string;
  description: string;
  inputSchema: S;
  annotations: typeof readOnly | typeof changes;
  act: (client: pg.Client, input: z.output<S>) => Promise<unknown>;
}

/** Only so that each tool's input has the type of its schema. */
const tool = <S extends z.ZodType>(definition: SqlTool<S>): SqlTool<S> => definition;

const tools = {
  query: tool({
    title: (resource) => `Read from ${resource}`,
    description:
      'Runs one SQL statement in a READ ONLY transaction that is rolled back: nothing can be changed. It is recorded.',
    inputSchema: z.object({ sql: text, params: values, limit }),
    annotations: readOnly,
    act: (client, { sql, params, limit: rows }) =>
      inReadOnly(client, () => shown(client, { text: sql, values: params }, { rows })),
  }),
  execute: tool({
    title: (resource) => `Change ${resource}`,
    description:
      'Runs one SQL statement and commits it. It is recorded. For several that belong together use transaction.',
    inputSchema: z.object({ sql: text, params: values, limit }),
    annotations: changes,
    act: async (client, { sql, params, limit: rows }) => {
      refuseControl(sql);
      return shown(client, { text: sql, values: params }, { rows, whole: true });
    },
  }),
  transaction: tool({
    title: (resource) => `Change ${resource}, all or nothing`,
    description:
      'Runs several SQL statements in one transaction: all are committed, or none when one fails. They are recorded.',
    inputSchema: z.object({
      statements: z
        .array(z.object({ sql: text, params: values }))
        .min(1)
        .max(100),
      limit,
    }),
    annotations: changes,
    act: inTransaction,
  }),
  list_tables: tool({
    title: (resource) => `Tables of ${resource}`,
    description: 'Tables, views and their kinds, with estimated rows, outside the system’s own schemas.',
    inputSchema: z.object({ schema: z.string().optional().describe('only this schema') }),
    annotations: readOnly,
    act: (client, { schema }) =>
      inReadOnly(client, () => shown(client, { text: tablesSql, values: [schema ?? null] }, { rows: rowsMax })),
  }),
  describe_table: tool({
    title: (resource) => `A table of ${resource}`,
    description: 'Columns with types, defaults and keys, and the indexes of one table.',
    inputSchema: z.object({ table: z.string().min(1).describe('name, or schema.name') }),
    annotations: readOnly,
    act: (client, { table }) =>
      inReadOnly(client, async () => ({
        columns: await shown(client, { text: columnsSql, values: [table] }, { rows: rowsMax }),
        indexes: await shown(client, { text: indexesSql, values: [table] }, { rows: rowsMax }),
      })),
  }),
  explain: tool({
    title: (resource) => `Plan of a statement on ${resource}`,
    description:
      'The server’s plan. With analyze it runs the statement, in a READ ONLY transaction that is rolled back.',
    inputSchema: z.object({ sql: text, params: values, analyze: z.boolean().optional() }),
    annotations: readOnly,
    act: (client, { sql, params, analyze = false }) =>
      inReadOnly(client, () =>
        shown(client, { text: `EXPLAIN (ANALYZE ${analyze}) ${sql}`, values: params }, { rows: rowsMax }),
      ),
  }),
};

/** The tools of a PostgreSQL resource. Each call has a connection of its own; everything that it sends is recorded. */
export function registerSqlTools(
  server: McpServer,
  session: RecordedSession,
  resource: string,
  beforeCall: () => void,
): void {
  for (const [name, { title, act, ...definition }] of Object.entries(tools) as [string, SqlTool<z.ZodType>][]) {
    server.registerTool(name, { title: title(resource), ...definition }, async (input, context) => {
      try {
        beforeCall();
        const { connect, info } = await session.ready();
        if (!('PGHOST' in info.environment)) throw notSql(resource);
        const parts = {
          connect: () => connect(declaredOf(name, context)),
          environment: info.environment,
          signal: context.mcpReq.signal,
        };
        return success(await onConnection(parts, (client) => act(client, input)));
      } catch (error) {
        return failure(error);
      }
    });
  }
}

const notSql = (resource: string): UserError =>
  new UserError('HOOP_USAGE', `hoop mcp speaks SQL, and ${resource} does not`, {
    next: `hoop connect ${resource} gives its address to a program`,
  });

async function inReadOnly<T>(client: pg.Client, act: () => Promise<T>): Promise<T> {
  await client.query('BEGIN TRANSACTION READ ONLY');
  try {
    return await act();
  } finally {
    await client.query('ROLLBACK').catch(() => undefined);
  }
}

async function inTransaction(
  client: pg.Client,
  { statements, limit: rows }: { statements: { sql: string; params?: Sql['values'] }[]; limit?: number | undefined },
): Promise<unknown> {
  for (const { sql } of statements) refuseControl(sql);
  const results: unknown[] = [];
  await client.query('BEGIN');
  for (const [index, { sql, params }] of statements.entries()) {
    try {
      results.push(await shown(client, { text: sql, values: params }, { rows, whole: true }));
    } catch (error) {
      await client.query('ROLLBACK').catch(() => undefined);
      throw Object.assign(error as Error, {
        where: `statement ${index + 1} of ${statements.length}; nothing was committed`,
      });
    }
  }
  await client.query('COMMIT');
  return { committed: true, results };
}

interface Shown {
  rows: number | undefined;
  whole?: boolean;
}

async function shown(client: pg.Client, sql: Sql, { rows = rowsDefault, whole = false }: Shown): Promise<unknown> {
  const result = await runStatement(client, sql, { rowsMax: rows, resultBytesMax, whole });
  return result.more ? { ...result, note: moreRows(result) } : result;
}

const moreRows = ({ rows }: SqlResult): string =>
  `more rows than the ${rows.length} shown; narrow the statement, or ask for more with limit (at most ${rowsMax})`;

function refuseControl(sql: string): void {
  if (!isTransactionControl(sql)) return;
  throw new UserError('HOOP_USAGE', 'transaction control does nothing here: each call has a connection of its own', {
    next: 'call the tool transaction with the list of statements',
  });
}

const tablesSql = `select n.nspname as schema, c.relname as name,
  case c.relkind when 'r' then 'table' when 'p' then 'partitioned table' when 'v' then 'view' when 'm' then 'materialized view' else 'foreign table' end as kind,
  c.reltuples::bigint as estimated_rows, obj_description(c.oid) as comment
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_toast'
  and ($1::text is null or n.nspname = $1)
order by 1, 2`;

const columnsSql = `select a.attname as name, format_type(a.atttypid, a.atttypmod) as type, not a.attnotnull as nullable,
  pg_get_expr(d.adbin, d.adrelid) as default,
  exists (select from pg_catalog.pg_index i where i.indrelid = a.attrelid and i.indisprimary and a.attnum = any (i.indkey)) as primary_key,
  col_description(a.attrelid, a.attnum) as comment
from pg_catalog.pg_attribute a left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped
order by a.attnum`;

const indexesSql = `select pg_get_indexdef(i.indexrelid) as definition, i.indisunique as is_unique
from pg_catalog.pg_index i where i.indrelid = $1::regclass order by 1`;
