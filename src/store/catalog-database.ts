import { chmodSync, closeSync, openSync, rmSync } from 'node:fs';
import Database from 'libsql';

type Value = string | number | null;

export interface CatalogDatabase {
  all(text: string, ...values: Value[]): Record<string, unknown>[];
  run(text: string, ...values: Value[]): void;
  transaction(act: () => void): void;
  /** Nothing is in the write-ahead log any more, and all is durable. */
  settle(): void;
  close(): void;
}

/** Of a statement's text, for search. */
export const textBytesMax = 16 * 1024;

/** Raised whenever the tables change: another number is thrown away and made anew. */
const schemaVersion = 3;
const schema = `
  create table sessions (
    id text primary key,
    user text not null,
    actor text,
    actorInstance text not null,
    resource text not null,
    protocol text not null,
    agent text not null,
    startedAt text not null,
    endedAt text,
    state text not null,
    reason text,
    statements integer not null,
    errors integer not null,
    streams integer not null,
    continues text,
    expiresAt text,
    ordinal integer not null,
    agentOrdinal integer not null,
    startedMicros integer not null,
    writing integer not null default 0,
    ddl integer not null default 0,
    dangerous integer not null default 0
  ) strict;
  create index sessions_by_ordinal on sessions (ordinal);
  create index sessions_by_user on sessions (user, ordinal);
  create index sessions_by_actor on sessions (actor, ordinal);
  create index sessions_by_resource on sessions (resource, ordinal);
  create index sessions_by_state on sessions (state, ordinal);
  create index sessions_by_agent on sessions (agent, agentOrdinal);
  create index sessions_by_start on sessions (startedMicros, ordinal);
  create index sessions_writing on sessions (ordinal) where writing = 1;
  create index sessions_ddl on sessions (ordinal) where ddl = 1;
  create index sessions_dangerous on sessions (ordinal) where dangerous = 1;
  create index sessions_failing on sessions (ordinal) where errors > 0;
  create table statements (
    id integer primary key,
    text text not null
  ) strict;
  create virtual table statement_words using fts5(
    text, content = 'statements', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2'
  );
  insert into statement_words (statement_words, rank) values ('secure-delete', 1);
`;

/** Opens the catalog; one that cannot be read, or is of another version, is thrown away: it is derived. */
export function openCatalogDatabase(path: string): CatalogDatabase {
  try {
    return prepared(path);
  } catch (error) {
    if (!/SQLITE_(CORRUPT|NOTADB)|malformed|not a database|another version/i.test(describe(error))) throw error;
    for (const ending of ['', '-wal', '-shm']) rmSync(`${path}${ending}`, { force: true });
    return prepared(path);
  }
}

/** What is deleted is overwritten (secure_delete): payloads are erased, and recordings removed, because they must be gone. */
const pragmas = ['journal_mode = WAL', 'synchronous = NORMAL', 'busy_timeout = 5000', 'secure_delete = ON'];

const describe = (error: unknown): string => `${(error as { code?: string }).code} ${(error as Error).message}`;

function prepared(path: string): CatalogDatabase {
  closeSync(openSync(path, 'a', 0o600));
  chmodSync(path, 0o600);
  const database = new Database(path);
  try {
    // Losing the last commits in a power cut loses nothing: what is missing is found and indexed again at the next start.
    for (const pragma of pragmas) database.pragma(pragma);
    const [row] = database.pragma('user_version') as { user_version: number }[];
    if (row?.user_version === 0) {
      database.exec(schema);
      database.pragma(`user_version = ${schemaVersion}`);
    } else if (row?.user_version !== schemaVersion) throw new Error('the catalog is of another version');
  } catch (error) {
    database.close();
    throw error;
  }
  return speaking(database);
}

function speaking(database: InstanceType<typeof Database>): CatalogDatabase {
  const prepare = (text: string) => database.prepare(text);
  const known = new Map<string, ReturnType<typeof prepare>>();
  const statement = (text: string) => {
    const found = known.get(text) ?? prepare(text);
    known.set(text, found);
    return found;
  };
  return {
    all: (text, ...values) => statement(text).all(...values) as Record<string, unknown>[],
    run: (text, ...values) => void statement(text).run(...values),
    transaction: (act) => database.transaction(act)(),
    settle: () => void database.pragma('wal_checkpoint(TRUNCATE)'),
    close: () => database.close(),
  };
}
