import type { Chance } from './chance.ts';
import type { KindName } from './values.ts';

/** Names that the wire and SQL fight over. */
export const names = ['', 'a', 'b', 'c d'] as const;
export const portals = ['', 'p', 'q'] as const;

const harmless = [
  'select 1',
  'SELECT  2 ;',
  "select 'naïve 日本 😀', E'back\\\\slash', 'it''s'",
  'select $$dollar; quoted$$, $x$ $1 $x$',
  'select generate_series(1, 7)',
  "select null, ''",
  "values (1, 'x'), (2, null)",
  'table items',
  'explain select * from items',
  'show search_path',
  'select count(*) from pg_prepared_statements',
];
const several = [
  'select 1; select 2',
  "insert into items values (91, 'x'); select 1; delete from items where id = 91;",
  "select 1; select 1/0; select 'never'",
  'select 1; selec 2',
  'begin; select 1; commit',
  'begin; select 1/0; commit',
  'select 1;;; ;select 2;',
];
/** Nothing that runs: PostgreSQL answers EmptyQueryResponse. */
export const empty = ['', ';', ' \n ', '-- only a comment', '/* nested /* comment */ ; */', ';;'];
const comments = ['/* a; b */ select 1 -- end', '--first\nselect 1', 'select /* $1 */ 1', "select '/*', 1 -- '"];
const failing = [
  'selec 1',
  'select 1/0',
  'select * from nowhere',
  "select 'open",
  "insert into items values (1, 'a'), (1, 'b')",
  'select fail()',
  "select 'x'::int",
  'drop table nowhere',
  'vacuum nowhere',
];
const transactions = [
  'begin',
  'begin isolation level serializable read only',
  'commit',
  'rollback',
  'savepoint s',
  'rollback to s',
  'release s',
  'commit and chain',
  'set constraints all deferred',
  'insert into late values (1, 99)',
];
const settings = [
  'set search_path to pg_catalog',
  'reset search_path',
  'set role reader',
  'reset role',
  'set standard_conforming_strings to off',
  'set standard_conforming_strings to on',
  "set local work_mem to '1MB'",
  'set nothing.at_all to 1',
  "set application_name to 'renamed'",
  'reset all',
];
/** What takes names away, and gives them, where the wire does not see it. */
const redefining = [
  "prepare a as select 'by SQL'",
  "prepare b (int) as select $1, 'by SQL'",
  'execute a',
  'execute b (5)',
  'deallocate a',
  'deallocate all',
  'discard all',
  "do $$ begin execute 'deallocate a'; execute 'prepare a as select ''by DO'''; exception when others then null; end $$",
  "select take('a')",
  "select take('b')",
  "declare p cursor for select 'by SQL'",
  'declare h cursor with hold for select generate_series(1, 5)',
  'fetch 2 from p',
  'fetch all from h',
  'move 1 from h',
  'close p',
  'close all',
];
const others = [
  'listen news',
  "notify news, 'told'",
  'unlisten *',
  'select lo_unlink(lo_create(0))',
  'create temp table if not exists tmp (id int)',
  'copy items to stdout',
  'copy (select 1, null) to stdout (format binary)',
  'copy nowhere to stdout',
  'truncate items',
  'lock table items',
  'call nothing()',
];

const groups = [
  [6, harmless],
  [3, several],
  [1, empty],
  [2, comments],
  [3, failing],
  [4, transactions],
  [2, settings],
  [4, redefining],
  [2, others],
] as const;

export function text(chance: Chance): string {
  if (chance.is(0.02)) return `select ${chance.between(1, 9)} -- ${'long '.repeat(chance.between(500, 20_000))}`;
  if (chance.is(0.25)) return `select ${chance.between(0, 999)} as n`;
  return chance.one(chance.weighted<readonly string[]>(groups));
}

export interface Template {
  sql: string;
  kinds: readonly KindName[];
  /** The server may be left to find the types out. */
  inferred: boolean;
}

const template = (sql: string, ...kinds: KindName[]): Template => ({
  sql,
  kinds,
  inferred: /^(insert|delete)/.test(sql),
});

export const templates: readonly Template[] = [
  template('select $1', 'text'),
  template('select $1, $2', 'int4', 'text'),
  template('select $1, $2, $3, $1', 'bytea', 'uuid', 'date'),
  template('select $1 is null, $2', 'jsonb', 'ints'),
  template('select $1, $2, $3', 'bool', 'float8', 'int8'),
  template('select $1', 'numeric'),
  template('insert into items values ($1, $2)', 'int4', 'text'),
  template('insert into items values ($1, $2) on conflict do nothing returning *', 'int4', 'text'),
  template('delete from items where id = $1', 'int4'),
  template('select n, $1 from generate_series(1, 9) n', 'text'),
  template('select 10 / $1', 'int4'),
];
