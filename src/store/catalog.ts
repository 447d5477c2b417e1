import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Session, SessionsQuery, Statement } from '../shared/api.ts';
import { UserError } from '../shared/errors.ts';
import type { Genesis } from '../recording/genesis.ts';
import { formatSessionId, isSessionIdPrefix, normalSessionId } from '../recording/session-id.ts';
import { openCatalogDatabase, textBytesMax, type CatalogDatabase } from './catalog-database.ts';

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
    const { user, actor, actorInstance, resource, protocol, agent, continues, ordinal, agentOrdinal } = genesis;
    this.#database.run(
      `insert or replace into sessions (${columns.join(', ')}, ordinal, agentOrdinal, startedMicros)
       values (?, ?, ?, ?, ?, ?, ?, ?, null, 'live', null, 0, 0, 0, ?, ?, ?, ?)`,
      formatSessionId(genesis.sessionId),
      user,
      actor,
      actorInstance,
      resource,
      protocol,
      agent,
      new Date(startedMicros / 1000).toISOString(),
      continues,
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

  /** Replaces what is known of a session's statements. In pieces, so that nothing else waits long. */
  async index(id: string, statements: AsyncIterable<Statement>): Promise<void> {
    this.#database.run('delete from statements where session = ?', id);
    let rows: Statement[] = [];
    for await (const statement of statements) {
      rows.push(statement);
      if (rows.length < 500) continue;
      this.#insert(rows);
      rows = [];
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#insert(rows);
  }

  #insert(rows: Statement[]): void {
    this.#database.transaction(() => {
      for (const { session, seq, stream, at, verb, text, outcome } of rows) {
        this.#database.run(
          `insert into statements (session, seq, stream, at, verb, text, status, errorCode, durationMicros)
           values (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
          session,
          seq,
          stream,
          at,
          verb,
          text && cut(text),
          outcome?.status ?? null,
          outcome?.errorCode ?? null,
          outcome?.durationMicros ?? null,
        );
      }
    });
  }

  /** Newest first. `restrictToUser`: others' sessions do not exist. */
  list(query: SessionsQuery, restrictToUser?: string): Session[] {
    const { since, until, limit } = query;
    const conditions: [string, string | undefined][] = [
      ['user = ?', query.user],
      ['user = ?', restrictToUser],
      ['actor = ?', query.actor],
      ['resource = ?', query.resource],
      ['state = ?', query.state],
      ['startedAt >= ?', since && new Date(since).toISOString()],
      ['startedAt < ?', until && new Date(until).toISOString()],
    ];
    const set = conditions.filter((condition): condition is [string, string] => condition[1] !== undefined);
    const where = set.length > 0 ? `where ${set.map(([text]) => text).join(' and ')}` : '';
    return this.#database
      .all(
        `select ${columns.join(', ')} from sessions ${where} order by ordinal desc limit ?`,
        ...set.map(([, value]) => value),
        limit,
      )
      .map(toSession);
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
        `select ${columns.join(', ')} from sessions where id >= ? and id < ? ${mine} order by id limit ?`,
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
      this.#database.run('delete from statements where session = ?', id);
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
const columns = [
  'id',
  'user',
  'actor',
  'actorInstance',
  'resource',
  'protocol',
  'agent',
  'startedAt',
  'endedAt',
  'state',
  'reason',
  'statements',
  'errors',
  'streams',
  'continues',
] as const satisfies (keyof Session)[];

const toSession = (row: Record<string, unknown>): Session =>
  Object.fromEntries(columns.map((name) => [name, row[name]])) as unknown as Session;

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
