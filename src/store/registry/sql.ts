import { chmodSync, closeSync, openSync } from 'node:fs';
import Database from 'libsql';

type Value = string | number | null;

/** The few words of SQL that the registry speaks; statements are prepared once. */
export interface Sql {
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- says what the row holds, as `all` does
  get<Row>(text: string, ...values: Value[]): Row | undefined;
  all<Row>(text: string, ...values: Value[]): Row[];
  /** Number of rows changed. */
  run(text: string, ...values: Value[]): number;
  /** All of `act` or nothing; durable when this returns. */
  transaction<T>(act: () => T): T;
  /** What was overwritten or deleted is then in no file: neither in a free page nor in the write-ahead log. */
  settle(): void;
  close(): void;
}

/** Opens (or makes) a database that only its owner can read; every commit is on disk when it returns. */
export function openSql(path: string, migrations: readonly string[]): Sql {
  closeSync(openSync(path, 'a', 0o600));
  chmodSync(path, 0o600);
  const database = new Database(path);
  for (const pragma of [
    'journal_mode = WAL',
    'synchronous = FULL',
    'foreign_keys = ON',
    'busy_timeout = 5000',
    'secure_delete = ON',
  ]) {
    database.pragma(pragma);
  }
  migrate(database, migrations);
  const prepare = (text: string) => database.prepare(text);
  const prepared = new Map<string, ReturnType<typeof prepare>>();
  const statement = (text: string) => {
    const known = prepared.get(text) ?? prepare(text);
    prepared.set(text, known);
    return known;
  };
  // As one array: libsql takes a lone null for an object of named values.
  return {
    // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- as above
    get: <Row>(text: string, ...values: Value[]) => statement(text).get(values) as Row | undefined,
    all: <Row>(text: string, ...values: Value[]) => statement(text).all(values) as Row[],
    run: (text, ...values) => statement(text).run(values).changes,
    transaction: <T>(act: () => T): T => (database.inTransaction ? act() : (database.transaction(act)() as T)),
    settle: () => void database.pragma('wal_checkpoint(TRUNCATE)'),
    close: () => database.close(),
  };
}

/** `user_version` counts the migrations that ran; each runs once, in a transaction of its own. */
function migrate(database: InstanceType<typeof Database>, migrations: readonly string[]): void {
  const [row] = database.pragma('user_version') as { user_version: number }[];
  const done = row?.user_version ?? 0;
  if (done > migrations.length) {
    throw new Error(`the registry was written by a newer hoop (schema ${done}, this one knows ${migrations.length})`);
  }
  migrations.slice(done).forEach((text, index) => {
    database.transaction(() => {
      database.exec(text);
      database.pragma(`user_version = ${done + index + 1}`);
    })();
  });
}

/** Did this insert meet a row that is there already? */
export const isDuplicate = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && /^SQLITE_CONSTRAINT_(UNIQUE|PRIMARYKEY)$/.test(String(error.code));
