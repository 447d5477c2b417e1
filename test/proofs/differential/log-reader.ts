import { closeSync, openSync, readSync, truncateSync } from 'node:fs';
import { until } from '../../support/until.ts';
import { farewell } from './play.ts';
import type { Ran } from './ran.ts';

interface Line {
  pid?: number;
  error_severity?: string;
  state_code?: string;
  message?: string;
  detail?: string;
  statement?: string;
}

/** Reads a server's log as it grows, and keeps what its backends did for scripts. */
export class ServerLog {
  readonly #file: string;
  readonly #backends = new Map<number, Backend>();
  /** Script → what it made the server do. */
  readonly ran = new Map<string, Ran[]>();
  readonly #done = new Set<string>();
  /** Times that a backend died of a fault of the server's own (PostgreSQL 18.4 does, rarely): the postmaster ends all the others. */
  crashes = 0;
  #offset = 0;
  #rest = '';

  constructor(logFile: string) {
    this.#file = logFile.replace(/\.log$/, '.json');
  }

  /** Waits until the log has all of these scripts, from their beginning to their farewell or the end of their connection. */
  async complete(scripts: readonly string[]): Promise<void> {
    await until(
      () => {
        this.#read();
        return scripts.every((script) => this.#done.has(script));
      },
      { what: () => `the log has the end of ${scripts.filter((script) => !this.#done.has(script)).join(', ')}` },
    );
  }

  /** For when nothing is under way: a long proof would fill the disk. The server appends. */
  forget(): void {
    this.#read();
    truncateSync(this.#file);
    this.#offset = 0;
    this.#rest = '';
    this.ran.clear();
    this.#done.clear();
  }

  #read(): void {
    const file = openSync(this.#file, 'r');
    const chunk = Buffer.alloc(1 << 20);
    const parts: Buffer[] = [];
    for (let read = -1; read !== 0; this.#offset += read) {
      read = readSync(file, chunk, 0, chunk.length, this.#offset);
      parts.push(Buffer.from(chunk.subarray(0, read)));
    }
    closeSync(file);
    // Bytes, not text, may be cut anywhere: latin1 keeps them until a line is whole.
    const lines = (this.#rest + Buffer.concat(parts).toString('latin1')).split('\n');
    this.#rest = lines.pop()!;
    for (const line of lines) this.#take(JSON.parse(Buffer.from(line, 'latin1').toString()) as Line);
  }

  #take(line: Line): void {
    const { pid = 0, message = '' } = line;
    if (/was terminated by signal \d+/.test(message)) return this.#crashed();
    const backend = this.#backends.get(pid) ?? new Backend();
    this.#backends.set(pid, backend);
    backend.take(line);
    const begun = /^select 'script (.*) begins'$/.exec(backend.last?.text ?? '')?.[1];
    if (begun !== undefined && backend.script !== begun) {
      backend.script = begun;
      this.ran.set(begun, (backend.ran = backend.ran.splice(-1)));
    }
    if (backend.script === undefined) return;
    const isOver = message.startsWith('disconnection: ') || (backend.last?.text === farewell && backend.isIdle);
    if (isOver) this.#done.add(backend.script);
    if (message.startsWith('disconnection: ')) this.#backends.delete(pid);
  }

  #crashed(): void {
    this.crashes++;
    for (const { script } of this.#backends.values()) if (script !== undefined) this.#done.add(script);
    this.#backends.clear();
  }
}

/** One connection, as the server logs it: a line when something begins, one when it is done, one for an error. */
class Backend {
  script: string | undefined;
  ran: Ran[] = [];
  isIdle = true;

  get last(): Ran | undefined {
    return this.ran.at(-1);
  }

  take({ error_severity = '', state_code = '', message = '', detail = '', statement }: Line): void {
    if (error_severity === 'LOG') this.#log(message, detail);
    else if (['ERROR', 'FATAL', 'PANIC'].includes(error_severity))
      this.#failed(error_severity, state_code, statement ?? null);
  }

  #log(message: string, detail: string): void {
    const text = begun(message);
    if (text !== undefined) {
      const parameters = /^parameters: ([^]*)$/i.exec(detail)?.[1] ?? '';
      this.ran.push({ text, parameters, outcome: 'unknown', began: true });
      this.isIdle = false;
    } else if (/^duration: [\d.]+ ms$/.test(message)) this.#ended('ok');
  }

  #failed(severity: string, code: string, text: string | null): void {
    const isEnd = severity !== 'ERROR';
    if (this.isIdle) this.ran.push({ text, parameters: '', outcome: code, began: false, ...(isEnd && { isEnd }) });
    else this.#ended(code);
  }

  #ended(outcome: string): void {
    if (this.last) this.last.outcome = outcome;
    this.isIdle = true;
  }
}

function begun(message: string): string | undefined {
  if (message.startsWith('fastpath function call: ')) return message;
  return /^(?:statement|execute [^:]*): ([^]*)$/.exec(message)?.[1];
}
