import { isStartupSetting } from '../../protocol/postgres/startup.ts';
import type { Session } from '../../shared/api.ts';
import { UserError } from '../../shared/errors.ts';
import { localTime, offset } from '../print.ts';
import { outcomeWords } from '../outcome.ts';
import { copyText } from './copy-text.ts';
import { sqlComment, sqlLiteral } from './psql-text.ts';
import type { ScriptItem } from './script-items.ts';
import { runAgain, type Again } from './sql-statement.ts';

export interface ScriptCounts {
  written: number;
  /** Statements that the script does not run, and that are not there for what a server did with them. */
  left: number;
}

/**
 * A session of PostgreSQL as a script for psql that does the same again. `counts` is filled in on the way. Throws HOOP_USAGE where streams
 * had transactions side by side: psql has one connection.
 */
export async function* sqlScript(
  session: Session,
  items: AsyncIterable<ScriptItem>,
  counts: ScriptCounts,
): AsyncGenerator<string> {
  yield heading(session);
  const script = new Script(session, counts);
  for await (const item of items) {
    yield* script.take(item);
  }
  yield* script.end();
}

function heading({ id, user, resource, startedAt }: Session): string {
  const lines = [
    `${resource}, session ${id} of ${user}, ${localTime(startedAt)}. For psql -X -f; what failed then fails again.`,
    'Statements whose outcome was of the moment, or that the record does not have whole, stand as comments.',
  ];
  return `${lines.map(sqlComment).join('\n')}\n\\set ON_ERROR_STOP off\n\\set ON_ERROR_ROLLBACK off\n\\set AUTOCOMMIT on\n\\encoding UTF8\n`;
}

class Script {
  readonly #session: Session;
  readonly #counts: ScriptCounts;
  /** The stream that the script is in. */
  #stream: number | undefined;
  /** Streams in a transaction of their own. */
  readonly #inTransaction = new Set<number>();
  /** Names that SQL's PREPARE has made: those of the protocol are not there in the script. */
  readonly #preparedNames = new Set<string>();
  /** Waits to see whether the next one was sent with it. */
  #held: ScriptItem | undefined;
  #hasBegun = false;

  constructor(session: Session, counts: ScriptCounts) {
    this.#session = session;
    this.#counts = counts;
  }

  async *take(item: ScriptItem): AsyncGenerator<string> {
    const held = this.#held;
    const isTogether = held && held.statement.stream === item.statement.stream && held.unit === item.unit;
    if (held && isTogether && !this.#hasBegun && !this.#inTransaction.has(held.statement.stream)) {
      this.#hasBegun = !isControl(held) && !isControl(item);
      if (this.#hasBegun) yield `\n${sqlComment('sent at once: one transaction')}\nBEGIN;\n`;
    }
    if (held) yield* this.#write(held);
    if (!isTogether) yield* this.#endUnit();
    this.#held = item;
  }

  async *end(): AsyncGenerator<string> {
    if (this.#held) yield* this.#write(this.#held);
    this.#held = undefined;
    yield* this.#endUnit();
  }

  *#endUnit(): Generator<string> {
    if (this.#hasBegun) yield 'COMMIT;\n';
    this.#hasBegun = false;
  }

  async *#write(item: ScriptItem): AsyncGenerator<string> {
    yield* this.#statement(item);
    await item.data?.drop();
  }

  async *#statement(item: ScriptItem): AsyncGenerator<string> {
    const { statement } = item;
    const { stream } = statement;
    yield* this.#enter(item);
    const at = offset(this.#session.startedAt, statement.at);
    yield `\n${sqlComment(`#${statement.seq}  ${at}  stream ${stream}  ${outcomeWords(statement.outcome)}`)}\n`;
    const again = this.#again(item);
    if (!again.can) return yield this.#left(item, again);
    const data = item.data && (await copyText(statement.text ?? '', item.data));
    if (data && 'why' in data) return yield this.#left(item, { can: false, why: data.why, failsTransaction: false });
    this.#counts.written++;
    const { sql } = again;
    yield `${data?.options === undefined ? sql : sql.replace(/(\bfrom\b[\s\S]*?\bstdin\b)[\s\S]*$/i, `$1${data.options};`)}\n`;
    if (data) yield* data.lines;
    if (again.transaction === 'begins') this.#inTransaction.add(stream);
    if (again.transaction === 'ends') this.#inTransaction.delete(stream);
    if (/client_encoding|\bset\s+names\b|reset|discard/i.test(statement.text ?? '')) yield '\\encoding UTF8\n';
  }

  /** DEALLOCATE of a name that the script has not made would fail, and a transaction with it. */
  #again(item: ScriptItem): Again {
    const again = runAgain(item);
    const text = item.statement.text ?? '';
    const made = /^\s*prepare\s+("[^"]*"|\w+)/i.exec(text)?.[1];
    if (again.can && made !== undefined && item.statement.outcome?.status === 'ok') this.#preparedNames.add(made);
    const gone = /^\s*deallocate\s+(?:prepare\s+)?("[^"]*"|\w+)\s*;?\s*$/i.exec(text)?.[1];
    if (!again.can || gone === undefined || gone.toLowerCase() === 'all' || this.#preparedNames.delete(gone))
      return again;
    return { can: false, why: 'its name was made by the protocol, not by SQL', failsTransaction: false };
  }

  /** A comment; where the record says that it made a transaction fail, something that does so too. */
  #left({ statement }: ScriptItem, { why, failsTransaction }: Extract<Again, { can: false }>): string {
    const isServers = ['skipped', 'refused', 'cancelled'].includes(statement.outcome?.status ?? '') || failsTransaction;
    if (!isServers && statement.verb !== 'cancel') this.#counts.left++;
    const text = (statement.text ?? statement.verb).split('\n').map(sqlComment).join('\n');
    const lines = [text, sqlComment(`not run: ${why}`)];
    if (failsTransaction && (this.#hasBegun || this.#inTransaction.has(statement.stream)))
      lines.push(`DO ${sqlLiteral(`BEGIN RAISE EXCEPTION '#${statement.seq} failed in the recording'; END`)};`);
    return `${lines.join('\n')}\n`;
  }

  /** psql is one connection: streams that came one after the other each begin afresh in it. */
  *#enter({ statement: { stream, seq }, beside, settings }: ScriptItem): Generator<string> {
    if (stream === this.#stream) return;
    const other = [...this.#inTransaction].find((one) => one !== stream);
    if (other !== undefined && beside.includes(other)) throw sideBySide(stream, other, seq);
    if (this.#stream !== undefined && !beside.includes(this.#stream) && settings !== undefined) {
      if (this.#inTransaction.size > 0) yield '\nROLLBACK;';
      this.#inTransaction.clear();
      this.#preparedNames.clear();
      yield `\n${sqlComment(`stream ${stream}: a connection of its own`)}\nDISCARD ALL;\n\\encoding UTF8\n`;
    } else if (this.#stream !== undefined)
      yield `\n${sqlComment(`stream ${stream}, which was open beside stream ${this.#stream}: both are one session here`)}\n`;
    this.#stream = stream;
    for (const [name, value] of settings ?? []) {
      if (!isStartupSetting(name) || name.toLowerCase() === 'client_encoding') continue;
      yield `SELECT pg_catalog.set_config(${sqlLiteral(name)}, ${sqlLiteral(value)}, false) AS hoop_setting \\gset\n`;
    }
  }
}

/** BEGIN, COMMIT and the like, whatever became of them. */
const isControl = ({ statement }: ScriptItem): boolean =>
  /^\s*(begin|start\s+transaction|commit|end|rollback|abort|prepare\s+transaction|vacuum|discard)\b/i.test(
    statement.text ?? '',
  );

const sideBySide = (stream: number, other: number, seq: number): UserError =>
  new UserError(
    'HOOP_USAGE',
    `streams ${other} and ${stream} had transactions side by side (at #${seq}), and psql has one connection`,
    { next: `write one of them: --stream ${other}` },
  );
