import { protocolNamed } from '../../protocol/registry.ts';
import type { Entry } from '../../recording/entry.ts';
import type { Session, Statement } from '../../shared/api.ts';
import { UserError } from '../../shared/errors.ts';
import { terminalSafeJson } from '../escape-control.ts';
import { count } from '../print.ts';
import { replayHeader, replayStatement } from '../replay.ts';
import { scriptItems, type DataSpool } from './script-items.ts';

/** What a recording is written from; nothing is asked for before it is read. */
export interface ReplaySource {
  session: Session;
  statements(): AsyncIterable<Statement>;
  entries(): AsyncIterable<Entry>;
  spool(): DataSpool;
  /** Of these streams only; undefined: all. */
  stream: number | undefined;
  /** For people, beside what is written. */
  say(line: string): void;
}

export const formatNames = ['text', 'json', 'sql', 'csv', 'html'] as const;
export type FormatName = (typeof formatNames)[number];

/** The recording in pieces, as it comes: a long one is never held whole. */
export const replayFormats: Record<FormatName, (source: ReplaySource) => AsyncIterable<string>> = {
  text,
  json,
  sql,
  csv: async function* (source) {
    yield* (await import('./csv.ts')).csv(source.session, wanted(source));
  },
  html: async function* (source) {
    yield* (await import('./html.ts')).html(source.session, wanted(source));
  },
};

async function* wanted({ statements, stream }: ReplaySource): AsyncGenerator<Statement> {
  for await (const statement of statements()) if (stream === undefined || statement.stream === stream) yield statement;
}

async function* text(source: ReplaySource): AsyncGenerator<string> {
  yield `${replayHeader(source.session)}\n`;
  let shown = 0;
  for await (const statement of wanted(source)) {
    shown++;
    yield `\n${replayStatement(statement, source.session)}\n`;
  }
  if (shown === 0) source.say('\nNo statements.');
}

async function* json(source: ReplaySource): AsyncGenerator<string> {
  for await (const statement of wanted(source)) yield `${terminalSafeJson(statement)}\n`;
}

async function* sql(source: ReplaySource): AsyncGenerator<string> {
  const counts = { written: 0, left: 0 };
  const { protocol } = source.session;
  if (protocol === 'postgres')
    yield* (await import('./sql-script.ts')).sqlScript(source.session, items(source), counts);
  else if (protocol === 'redis') yield* (await import('./redis-script.ts')).redisScript(wanted(source), counts);
  else throw noScript(protocol);
  const where = protocol === 'postgres' ? ' (a comment stands in its place)' : '';
  if (counts.left > 0) source.say(`${count(counts.left, 'statement')} cannot be run again from a script${where}.`);
}

async function* items({ session, entries, spool, stream }: ReplaySource) {
  const renderParameter = protocolNamed(session.protocol)?.renderParameter ?? (() => '');
  for await (const item of scriptItems(entries(), { session: session.id, renderParameter, spool })) {
    if (stream === undefined || item.statement.stream === stream) yield item;
    else await item.data?.drop();
  }
}

const noScript = (protocol: string): UserError =>
  new UserError('HOOP_USAGE', `a session of ${protocol} has no script`, { next: 'choose --format json or html' });
