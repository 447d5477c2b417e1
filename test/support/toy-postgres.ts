import {
  backendType,
  bytesOf,
  cstring,
  decodeBind,
  decodeExecute,
  decodeParse,
  decodeQuery,
  decodeTarget,
  encodeErrorResponse,
  encodeMessage,
  encodeReadyForQuery,
  frontendType,
  headerBytes,
  int16,
  int32,
  textOf,
} from '../../src/protocol/postgres/messages.ts';
import { Splitter, wholeMessages } from '../../src/protocol/postgres/splitter.ts';

const error = encodeErrorResponse({ severity: 'ERROR', code: '42601', message: 'no' });
const row = encodeMessage(backendType.dataRow, int16(1), int32(1), bytesOf('x'));
const columns = encodeMessage(backendType.rowDescription, int16(1), ...cstring(bytesOf('c')), new Uint8Array(18));
const complete = (tag: string): Uint8Array => encodeMessage(backendType.commandComplete, ...cstring(bytesOf(tag)));
const copyFormats = Uint8Array.of(0, 0, 0);

/**
 * The order in which PostgreSQL answers, and nothing more: for properties over thousands of random conversations. A text that contains
 * `fail` fails, `copy in` and `copy out` do what they say, and `take` redefines the names a and b as SQL inside a function can. Skips to
 * Sync after an error, as the server does.
 */
export class ToyPostgres {
  /** Every text that ran to its end, in order. */
  readonly executed: string[] = [];
  readonly #splitter: Splitter;
  #answers: Uint8Array[] = [];
  #statements = new Map<string, string>();
  #portals = new Map<string, string>();
  #isSkipping = false;
  /** Set while a COPY takes data: is it of a Query? */
  #copying: { isQuery: boolean; text: string } | undefined;

  constructor() {
    this.#splitter = new Splitter(
      wholeMessages((type, message) => this.#message(type, message)),
      2 ** 20,
    );
  }

  /** What it answers to these bytes. */
  answer(bytes: Uint8Array): Uint8Array {
    this.#answers = [];
    this.#splitter.push(bytes);
    return Buffer.concat(this.#answers);
  }

  #say(...messages: Uint8Array[]): void {
    this.#answers.push(...messages);
  }

  #message(type: number, message: Uint8Array): void {
    const body = message.subarray(headerBytes);
    if (this.#copying) return this.#whileCopying(type);
    if (type === frontendType.sync) {
      this.#isSkipping = false;
      this.#portals.clear();
      return this.#say(encodeReadyForQuery('I'));
    }
    if (this.#isSkipping) return;
    switch (type) {
      case frontendType.query:
        return this.#query(textOf(decodeQuery(body)));
      case frontendType.parse:
        return this.#parse(decodeParse(body));
      case frontendType.bind:
        return this.#bind(decodeBind(body));
      case frontendType.execute:
        return this.#execute(textOf(decodeExecute(body).portal));
      case frontendType.describe:
        return this.#describe(decodeTarget(body));
      case frontendType.close: {
        const { what, name } = decodeTarget(body);
        (what === 'statement' ? this.#statements : this.#portals).delete(textOf(name));
        return this.#say(encodeMessage(backendType.closeComplete));
      }
      case frontendType.functionCall:
        return this.#say(encodeMessage(backendType.functionCallResponse, int32(-1)), encodeReadyForQuery('I'));
      default:
    }
  }

  #fail(): void {
    this.#isSkipping = true;
    this.#say(error);
  }

  #query(text: string): void {
    this.#statements.delete('');
    if (text.includes('fail')) return this.#say(error, encodeReadyForQuery('I'));
    if (text.includes('take')) this.#take();
    this.#run(text, true);
  }

  #parse({ name, text }: { name: Uint8Array; text: Uint8Array }): void {
    const key = textOf(name);
    if (key === '') this.#statements.delete('');
    if (textOf(text).includes('fail') || this.#statements.has(key)) return this.#fail();
    this.#statements.set(key, textOf(text));
    this.#say(encodeMessage(backendType.parseComplete));
  }

  #bind({ portal, statement }: { portal: Uint8Array; statement: Uint8Array }): void {
    const text = this.#statements.get(textOf(statement));
    if (text === undefined) return this.#fail();
    this.#portals.set(textOf(portal), text);
    this.#say(encodeMessage(backendType.bindComplete));
  }

  #describe({ what, name }: { what: string; name: Uint8Array }): void {
    const known = what === 'statement' ? this.#statements : this.#portals;
    if (!known.has(textOf(name))) return this.#fail();
    if (what === 'statement') this.#say(encodeMessage(backendType.parameterDescription, int16(0)));
    this.#say(columns);
  }

  #execute(portal: string): void {
    const text = this.#portals.get(portal);
    if (text === undefined) return this.#fail();
    if (text.includes('take')) this.#take(portal);
    this.#run(text, false);
    // A portal cannot be closed, nor its name be taken, by what itself runs: "cannot drop active portal".
    this.#portals.set(portal, text);
  }

  #run(text: string, isQuery: boolean): void {
    if (text.includes('copy in')) {
      this.#copying = { isQuery, text };
      return this.#say(encodeMessage(backendType.copyInResponse, copyFormats));
    }
    this.executed.push(text);
    if (text.includes('copy out')) {
      const chunk = encodeMessage(backendType.copyData, bytesOf(text));
      this.#say(encodeMessage(backendType.copyOutResponse, copyFormats), chunk, chunk);
      this.#say(encodeMessage(backendType.copyDone), complete('COPY 2'));
    } else if (isQuery) this.#say(columns, row, row, complete('SELECT 2'));
    else this.#say(row, complete('SELECT 1'));
    if (isQuery) this.#say(encodeReadyForQuery('I'));
  }

  /** A portal that runs cannot be closed ("cannot drop active portal"), so its name stays. */
  #take(running?: string): void {
    for (const name of ['a', 'b']) {
      this.#statements.set(name, 'evil');
      if (name !== running) this.#portals.set(name, 'evil');
    }
  }

  #whileCopying(type: number): void {
    if (type !== frontendType.copyDone && type !== frontendType.copyFail) return;
    const { isQuery, text } = this.#copying!;
    this.#copying = undefined;
    if (type === frontendType.copyDone) {
      this.executed.push(text);
      this.#say(complete('COPY 1'));
    } else if (isQuery) this.#say(error);
    else this.#fail();
    if (isQuery) this.#say(encodeReadyForQuery('I'));
  }
}
