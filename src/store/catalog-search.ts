import type { Session, SessionsQuery } from '../shared/api.ts';
import { UserError } from '../shared/errors.ts';
import type { CatalogDatabase } from './catalog-database.ts';

export const sessionColumns = [
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
  'expiresAt',
] as const satisfies (keyof Session)[];

export const toSession = (row: Record<string, unknown>): Session =>
  Object.fromEntries(sessionColumns.map((name) => [name, row[name]])) as unknown as Session;

/** A statement's row: its session's ordinal, then its entry. Both fit a JavaScript number: 268 million sessions. */
const entriesMax = 2 ** 25;
export const statementId = (ordinal: number, seq: number): number => ordinal * entriesMax + seq;
/** Entries past it cannot be searched for. */
export const isSearchable = (seq: number): boolean => seq < entriesMax;

/** Spent on one answer, which is then short: others wait for this event loop. A word that is everywhere costs most. */
const searchMillisMax = 250;

export interface Found {
  sessions: (Session & { match?: number })[];
  /** The last session that was looked at, where there may be more. */
  next: string | null;
}

/** Ordinals from `from` on, below `below`. */
interface Range {
  from: number;
  below: number;
}

const textsOfClasses = { write: 'writing = 1', ddl: 'ddl = 1', dangerous: 'dangerous = 1' } as const;

/** Newest first. Each filter has an index in this order, so that a page costs what it shows (test/store/catalog-search.test.ts). */
export function sessionsText(query: SessionsQuery, restrictToUser: string | undefined, { from, below }: Range) {
  const { since, until } = query;
  const conditions: [string, string | number | undefined][] = [
    ['user = ?', query.user],
    ['user = ?', restrictToUser],
    ['actor = ?', query.actor],
    ['resource = ?', query.resource],
    ['state = ?', query.state],
    ['ordinal >= ?', from],
    ['ordinal < ?', below],
    // `+`: the range of ordinals is what narrows it.
    ['+startedMicros >= ?', since && Date.parse(since) * 1000],
    ['+startedMicros < ?', until && Date.parse(until) * 1000],
  ];
  const set = conditions.filter((condition): condition is [string, string | number] => condition[1] !== undefined);
  const plain = [
    ...(query.class === undefined ? [] : [textsOfClasses[query.class]]),
    ...(query.errors === true ? ['errors > 0'] : []),
  ];
  const where = [...plain, ...set.map(([text]) => text)].join(' and ');
  return {
    text: `select ordinal, ${sessionColumns.join(', ')} from sessions where ${where} order by ordinal desc limit ?`,
    values: set.map(([, value]) => value),
  };
}

export function searchSessions(
  database: CatalogDatabase,
  query: SessionsQuery,
  { restrictToUser, below }: { restrictToUser: string | undefined; below: number },
): Found {
  const range = { from: firstSince(database, query.since), below: Math.min(below, endUntil(database, query.until)) };
  const rows = (below: number, limit: number) => {
    const { text, values } = sessionsText(query, restrictToUser, { ...range, below });
    return database.all(text, ...values, limit);
  };
  if (query.text !== undefined) return withText(database, { query, rows, range });
  const found = rows(range.below, query.limit + 1).map(toSession);
  const sessions = found.slice(0, query.limit);
  return { sessions, next: found.length > query.limit ? sessions.at(-1)!.id : null };
}

interface TextSearch {
  query: SessionsQuery;
  rows: (below: number, limit: number) => Record<string, unknown>[];
  range: Range;
}

export const wordsText =
  'select rowid from statement_words where statement_words match ? and rowid < ? and rowid >= ? order by rowid desc limit 1';

/** The newest with the text and the newest that fits the rest pull each other along, so that neither is gone through alone. */
function withText(database: CatalogDatabase, { query, rows, range }: TextSearch): Found {
  const words = asPhrase(query.text!);
  const hitBelow = (ordinal: number): number | undefined => {
    const ids = [words, statementId(ordinal, 0), statementId(range.from, 0)] as const;
    const [row] = database.all(wordsText, ...ids);
    return row && Number(row['rowid']);
  };
  const sessions: Found['sessions'] = [];
  let hit = hitBelow(range.below);
  const started = performance.now();
  while (hit !== undefined) {
    const [row] = rows(Math.floor(hit / entriesMax) + 1, 1);
    if (!row) break;
    const ordinal = Number(row['ordinal']);
    if (hit >= statementId(ordinal + 1, 0)) hit = hitBelow(ordinal + 1);
    if (hit !== undefined && hit >= statementId(ordinal, 0)) {
      sessions.push({ ...toSession(row), match: hit % entriesMax });
      hit = hitBelow(ordinal);
    }
    const isFull = sessions.length === query.limit || performance.now() - started > searchMillisMax;
    if (hit !== undefined && isFull) return { sessions, next: String(row['id']) };
  }
  return { sessions, next: null };
}

/** Words of one phrase; nothing in it is the search engine's own syntax. */
function asPhrase(text: string): string {
  if (!/[\p{L}\p{N}\p{Co}]/u.test(text))
    throw new UserError('HOOP_USAGE', `text: ${JSON.stringify(text.slice(0, 100))} has no word to look for`, {
      next: 'give words or numbers that a statement has',
    });
  const phrase = `"${text.replaceAll('"', '""').replaceAll('\0', ' ')}"`;
  return text.endsWith('*') ? `${phrase} *` : phrase;
}

/** A clock may have been set back: of all that started since, the first by number. */
function firstSince(database: CatalogDatabase, since: string | undefined): number {
  if (since === undefined) return 0;
  const text = 'select min(ordinal) as ordinal from sessions where startedMicros >= ?';
  return Number(database.all(text, Date.parse(since) * 1000)[0]!['ordinal'] ?? 0);
}

/** Behind the last that started before. */
function endUntil(database: CatalogDatabase, until: string | undefined): number {
  if (until === undefined) return ordinalMax;
  const text = 'select max(ordinal) as ordinal from sessions where startedMicros < ?';
  return Number(database.all(text, Date.parse(until) * 1000)[0]!['ordinal'] ?? -1) + 1;
}

export const ordinalMax = 2 ** 28;
