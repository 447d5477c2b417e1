import type { Socket } from 'node:net';
import type { Duplex as NodeDuplex } from 'node:stream';
import type pg from 'pg';

/** One statement and its parameters, as text. */
export interface Sql {
  text: string;
  values?: readonly (string | number | boolean | null)[] | undefined;
}

/** Values are as the server writes them: numbers keep their digits, times their zone. */
export interface SqlResult {
  columns: string[];
  /** At most `rowsMax` of them, and about `resultBytesMax` bytes. */
  rows: (string | null)[][];
  /** There were more rows than are here. */
  more: boolean;
  /** The server's command tag, without counts: SELECT, UPDATE. */
  command: string;
  /** Rows returned or changed; null where the command has none. */
  rowCount: number | null;
}

export interface SqlBounds {
  rowsMax: number;
  resultBytesMax: number;
}

export interface ConnectionParts {
  /** One more connection of the session. */
  connect: () => NodeDuplex;
  environment: Record<string, string>;
  /** Cancels what runs at the server, by the protocol's own request. */
  signal: AbortSignal;
}

/** Runs something on a connection of its own: no state crosses to the next call. */
export async function onConnection<T>(
  { connect, environment, signal }: ConnectionParts,
  act: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const { Client } = (await import('pg')).default; // late: it loads much that a server at its start has no use for
  const client = new Client({
    stream: () => connect() as Socket, // what of a socket pg uses, streamPair() gives
    user: environment['PGUSER'] ?? '',
    password: environment['PGPASSWORD'] ?? '',
    database: environment['PGDATABASE'] ?? '',
  });
  client.on('error', () => undefined); // what runs then rejects
  await client.connect();
  const cancel = () => sendCancel(connect(), client);
  signal.addEventListener('abort', cancel, { once: true });
  try {
    signal.throwIfAborted();
    return await act(client);
  } finally {
    signal.removeEventListener('abort', cancel);
    await client.end().catch(() => undefined);
  }
}

/** CancelRequest: https://www.postgresql.org/docs/current/protocol-message-formats.html */
function sendCancel(socket: NodeDuplex, client: pg.Client): void {
  const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
  const request = Buffer.alloc(16);
  for (const [index, value] of [16, 80_877_102, processID, secretKey].entries()) request.writeInt32BE(value, index * 4);
  socket.on('error', () => undefined).end(request);
  socket.resume(); // the server closes without a word
}

/**
 * One statement, by the extended protocol (which takes one and no more). With `whole` it runs to its end although its rows are more than
 * are wanted; without, the server stops after them.
 */
export function runStatement(client: pg.Client, sql: Sql, bounds: SqlBounds & { whole: boolean }): Promise<SqlResult> {
  return new Promise((resolve, reject) => {
    client.query(new BoundedStatement(sql, bounds, (error, result) => (error ? reject(error) : resolve(result))));
  });
}

type Done = (error: Error | undefined, result: SqlResult) => void;

/** pg's Submittable, with a bound: one round trip, and rows past the bound are let go as they come. */
class BoundedStatement implements pg.Submittable {
  readonly #sql: Sql;
  readonly #bounds: SqlBounds & { whole: boolean };
  readonly #done: Done;
  readonly #result: SqlResult = { columns: [], rows: [], more: false, command: '', rowCount: null };
  #bytes = 0;
  #error: Error | undefined;

  constructor(sql: Sql, bounds: SqlBounds & { whole: boolean }, done: Done) {
    this.#sql = sql;
    this.#bounds = bounds;
    this.#done = done;
  }

  submit(connection: pg.Connection): void {
    const wire = connection as unknown as Wire;
    const { text, values = [] } = this.#sql;
    wire.parse({ text, name: '', types: [] });
    wire.bind({ portal: '', statement: '', values: values.map((value) => (value === null ? null : String(value))) });
    wire.describe({ type: 'P', name: '' });
    wire.execute({ portal: '', rows: this.#bounds.whole ? 0 : this.#bounds.rowsMax + 1 });
    wire.sync();
  }

  handleRowDescription({ fields }: { fields: { name: string }[] }): void {
    this.#result.columns = fields.map(({ name }) => name);
  }

  handleDataRow({ fields }: { fields: (string | null)[] }): void {
    this.#bytes += fields.reduce((sum, value) => sum + (value?.length ?? 0), 0);
    const fits = this.#result.rows.length < this.#bounds.rowsMax && this.#bytes <= this.#bounds.resultBytesMax;
    if (fits) this.#result.rows.push(fields);
    else this.#result.more = true;
  }

  handlePortalSuspended(): void {
    this.#result.more = true;
  }

  handleCommandComplete({ text }: { text: string }): void {
    const [, command = text, count] = /^(.*?)(?: \d+)*?(?: (\d+))?$/.exec(text) ?? [];
    this.#result.command = command;
    this.#result.rowCount = count === undefined ? null : Number(count);
  }

  handleEmptyQuery(): void {
    this.#result.command = '';
  }

  handleCopyInResponse(connection: pg.Connection): void {
    const wire = connection as unknown as Wire;
    wire.sendCopyFail('COPY takes data that a tool call cannot send');
    wire.sync();
  }

  handleCopyData(): void {
    this.#error ??= new Error('COPY gives data that a tool call cannot take; use SELECT');
  }

  /** pg tells a query of its error, and no more of what comes. */
  handleError(error: Error): void {
    this.#done(this.#error ?? error, this.#result);
  }

  handleReadyForQuery(): void {
    this.#done(this.#error, this.#result);
  }
}

/** What pg's types leave out of a connection. */
interface Wire {
  parse(message: { name: string; text: string; types: number[] }): void;
  bind(message: { portal: string; statement: string; values: (string | null)[] }): void;
  describe(message: { type: 'P'; name: string }): void;
  execute(message: { portal: string; rows: number }): void;
  sync(): void;
  sendCopyFail(message: string): void;
}

/** BEGIN, COMMIT and their like: the tools keep transactions themselves. Comments, space and empty statements may come before. */
export function isTransactionControl(text: string): boolean {
  const rest = withoutLead(text);
  return /^(begin|start\s+transaction|commit|end|rollback|abort|savepoint|release|prepare\s+transaction)\b/i.test(rest);
}

function withoutLead(text: string): string {
  for (;;) {
    const rest = text.replace(/^[\s;]+/, '');
    if (rest.startsWith('--')) text = rest.replace(/^--[^\n\r]*/, '');
    else if (rest.startsWith('/*')) text = withoutComment(rest);
    else return rest;
  }
}

/** PostgreSQL's block comments nest. */
function withoutComment(text: string): string {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const two = text.slice(at, at + 2);
    if (two === '/*' || two === '*/') {
      depth += two === '/*' ? 1 : -1;
      at++;
      if (depth === 0) return text.slice(at + 1);
    }
  }
  return '';
}
