import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Session, SessionsQuery, Statement } from '../shared/api.ts';
import { UserError } from '../shared/errors.ts';
import type { Genesis } from '../recording/genesis.ts';
import { formatSessionId, isSessionIdPrefix, normalSessionId } from '../recording/session-id.ts';
import type { StatementClass } from '../protocol/protocol.ts';
import { openCatalogDatabase, textBytesMax, type CatalogDatabase } from './catalog-database.ts';
import {
  isSearchable,
  ordinalMax,
  searchSessions,
  sessionColumns,
  statementId,
  toSession,
  type Found,
} from './catalog-search.ts';

/** What the end of a session adds to its row. */
export type SessionEnding = Pick<Session, 'endedAt' | 'state' | 'reason' | 'statements' | 'errors' | 'streams'>;

/**
 * Search over sessions and statements: `<data-dir>/catalog.db`. Derived from journal and archive, holds nothing else and may be thrown
 * away: whoever writes it can mislead a search, and nothing more.
 */
export class Catalog {
  readonly #dataDir: string;
  #database: CatalogDatabase;

  constructor(dataDir: string, database: CatalogDatabase) {
    this.#dataDir = dataDir;
    this.#database = database;
  }

  /** A session was opened; its row is live until `closed`. */
  openedBy(genesis: Genesis, startedMicros: number): void {
    const { user, actor, actorInstance, resource, protocol, agent, continues, ordinal, agentOrdinal, terms } = genesis;
    this.#database.run(
      `insert or replace into sessions (${sessionColumns.join(', ')}, ordinal, agentOrdinal, startedMicros)
       values (?, ?, ?, ?, ?, ?, ?, ?, null, 'live', null, 0, 0, 0, ?, ?, ?, ?, ?)`,
      formatSessionId(genesis.sessionId),
      user,
      actor,
      actorInstance,
      resource,
      protocol,
      agent,
      new Date(startedMicros / 1000).toISOString(),
      continues,
      terms?.['expiresAt'] ?? null,
      ordinal,
      agentOrdinal,
      startedMicros,
    );
  }

  closed(id: string, end: SessionEnding): void {
    const { endedAt, state, reason, statements, errors, streams } = end;
    this.#database.run(
      'update sessions set endedAt = ?, state = ?, reason = ?, statements = ?, errors = ?, streams = ? where id = ?',
      endedAt,
      state,
      reason,
      statements,
      errors,
      streams,
      id,
    );
  }

  /** A witness has seen something else than what the record of a session that has ended holds. */
  contradicted(id: string, state: Session['state']): void {
    this.#database.run(`update sessions set state = ? where id = ? and state <> 'live'`, state, id);
  }

  /** Replaces what is known of a session's statements. In pieces, so that nothing else waits long; what stays the same is not touched. */
  async index(
    id: string,
    statements: AsyncIterable<Statement>,
    classify: (text: string) => ReadonlySet<StatementClass> | undefined,
  ): Promise<void> {
    const gone = new Set(this.#statementsOf(id).map(({ id: row }) => row));
    const classes = new Set<StatementClass>();
    let rows: { seq: number; text: string }[] = [];
    for await (const { seq, text } of statements) {
      if (text === null || !isSearchable(seq)) continue;
      for (const one of classify(text) ?? []) classes.add(one);
      rows.push({ seq, text: cut(text) });
      if (rows.length < 200) continue;
      this.#put(id, rows, gone);
      rows = [];
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#put(id, rows, gone);
    this.#database.transaction(() => {
      for (const row of gone) this.#unword(row);
      this.#database.run(
        'update sessions set writing = ?, ddl = ?, dangerous = ? where id = ?',
        ...(['write', 'ddl', 'dangerous'] as const).map((one) => Number(classes.has(one))),
        id,
      );
    });
  }

  #statementsOf(id: string): { id: number }[] {
    const ordinal = this.place(id)?.ordinal;
    if (ordinal === undefined) return [];
    const text = 'select id from statements where id >= ? and id < ?';
    return this.#database.all(text, statementId(ordinal, 0), statementId(ordinal + 1, 0)) as { id: number }[];
  }

  /** Nothing of a session that has no row. */
  #put(session: string, rows: { seq: number; text: string }[], gone: Set<number>): void {
    const ordinal = this.place(session)?.ordinal;
    if (ordinal === undefined) return;
    this.#database.transaction(() => {
      for (const { seq, text } of rows) {
        const id = statementId(ordinal, seq);
        if (gone.delete(id) && !this.#unword(id, text)) continue;
        this.#database.run('insert into statements (id, text) values (?, ?)', id, text);
        this.#database.run('insert into statement_words (rowid, text) values (?, ?)', id, text);
      }
    });
  }

  /** Takes a statement out, unless its text is this one. The index of words has to be told what it forgets. */
  #unword(id: number, unless?: string): boolean {
    const text = String(this.#database.all('select text from statements where id = ?', id)[0]?.['text']);
    if (text === unless) return false;
    this.#database.run(`insert into statement_words (statement_words, rowid, text) values ('delete', ?, ?)`, id, text);
    this.#database.run('delete from statements where id = ?', id);
    return true;
  }

  /** By page: newest first. `restrictToUser`: others' sessions do not exist. Throws HOOP_NOT_FOUND for an `after` that is not there. */
  page(query: SessionsQuery, restrictToUser?: string): Found {
    const after = query.after === undefined ? undefined : this.place(this.find(query.after, restrictToUser).id);
    return searchSessions(this.#database, query, { restrictToUser, below: after?.ordinal ?? ordinalMax });
  }

  list(query: SessionsQuery, restrictToUser?: string): Session[] {
    return this.page(query, restrictToUser).sessions;
  }

  /** By whole id, unique prefix, or `last`. Throws HOOP_NOT_FOUND or, where several fit, HOOP_USAGE. */
  find(idPrefix: string, restrictToUser?: string): Session {
    const found = idPrefix === 'last' ? this.#last(restrictToUser) : this.#byPrefix(idPrefix, restrictToUser);
    if (found.length === 1) return found[0]!;
    if (found.length === 0) throw notFound(idPrefix);
    throw new UserError(
      'HOOP_USAGE',
      `${idPrefix} fits several sessions: ${found.map(({ id }) => id).join(', ')}${found.length === candidatesMax ? ', …' : ''}`,
      { next: 'give more of the id' },
    );
  }

  #last(user: string | undefined): Session[] {
    return this.list({ limit: 1 }, user);
  }

  #byPrefix(typed: string, user: string | undefined): Session[] {
    const prefix = normalSessionId(typed);
    if (!isSessionIdPrefix(prefix)) return [];
    const mine = user === undefined ? '' : 'and user = ?';
    return this.#database
      .all(
        `select ${sessionColumns.join(', ')} from sessions where id >= ? and id < ? ${mine} order by id limit ?`,
        prefix,
        `${prefix}~`, // after every character of an id
        ...(user === undefined ? [] : [user]),
        candidatesMax,
      )
      .map(toSession);
  }

  /** Where the archive has a session's recording. */
  place(id: string): { id: string; ordinal: number; startedMicros: number } | undefined {
    const [row] = this.#database.all('select ordinal, startedMicros from sessions where id = ?', id);
    return row && { id, ordinal: Number(row['ordinal']), startedMicros: Number(row['startedMicros']) };
  }

  agentOf(id: string): string | undefined {
    const [row] = this.#database.all('select agent from sessions where id = ?', id);
    return row && String(row['agent']);
  }

  /** Ids of the sessions that have ended. */
  ended(): Set<string> {
    return new Set(this.#database.all(`select id from sessions where state <> 'live'`).map((row) => String(row['id'])));
  }

  /** The highest ordinal of each agent. */
  agentOrdinals(): Map<string, number> {
    const rows = this.#database.all('select agent, max(agentOrdinal) as ordinal from sessions group by agent');
    return new Map(rows.map((row) => [String(row['agent']), Number(row['ordinal'])]));
  }

  /** Sessions that ended before, the oldest first: where to look for recordings whose time is over. */
  endedBefore(rfc3339: string): { id: string; resource: string; endedAt: string }[] {
    const text = `select id, resource, endedAt from sessions where state <> 'live' and endedAt < ? order by endedAt`;
    return this.#database.all(text, rfc3339) as { id: string; resource: string; endedAt: string }[];
  }

  /** Of every session that has ended. */
  sums(): Map<string, { resource: string; statements: number; startedAt: string }> {
    const rows = this.#database.all(`select id, resource, statements, startedAt from sessions where state <> 'live'`);
    return new Map(
      rows.map(({ id, resource, statements, startedAt }) => [
        String(id),
        { resource: String(resource), statements: Number(statements), startedAt: String(startedAt) },
      ]),
    );
  }

  forget(id: string): void {
    this.#database.transaction(() => {
      for (const row of this.#statementsOf(id)) this.#unword(row.id);
      this.#database.run('delete from sessions where id = ?', id);
    });
  }

  /** What was deleted is gone from the files, durably. */
  settle(): void {
    this.#database.settle();
  }

  /** Drops rows of sessions that were never durable. */
  dropLive(): void {
    this.#database.run(`delete from sessions where state = 'live'`);
  }

  /** Throws all away. */
  clear(): void {
    this.#database.close();
    for (const ending of ['', '-wal', '-shm']) rmSync(`${catalogPath(this.#dataDir)}${ending}`, { force: true });
    this.#database = openCatalogDatabase(catalogPath(this.#dataDir));
  }

  close(): void {
    this.#database.close();
  }
}

export const openCatalog = (dataDir: string): Catalog =>
  new Catalog(dataDir, openCatalogDatabase(catalogPath(dataDir)));

const catalogPath = (dataDir: string): string => join(dataDir, 'catalog.db');
const candidatesMax = 10;
const notFound = (typed: string): UserError =>
  new UserError('HOOP_NOT_FOUND', typed === 'last' ? 'there is no session yet' : `there is no session ${typed}`, {
    next: '`hoop sessions` lists them',
  });

/** Search needs no more of a text; the whole of it is in the recording. */
function cut(text: string): string {
  if (text.length <= textBytesMax / 4) return text;
  const bytes = Buffer.from(text);
  return bytes.length <= textBytesMax
    ? text
    : bytes
        .subarray(0, textBytesMax)
        .toString('utf8')
        .replace(/\uFFFD$/, '');
}
