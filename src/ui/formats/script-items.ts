import type { StatementEvent } from '../../protocol/event.ts';
import type { Entry, EntryHeader } from '../../recording/entry.ts';
import { statementsOf, type TimelineOptions } from '../../recording/timeline.ts';
import type { Statement } from '../../shared/api.ts';

/** Keeps COPY data until the statement that it belongs to is written. */
export interface DataSpool {
  append(bytes: Uint8Array): void | Promise<void>;
  read(): AsyncIterable<Uint8Array>;
  drop(): Promise<void>;
}

/** A statement, and what has to be known besides to run it again in the same way. */
export interface ScriptItem {
  statement: Statement;
  /** The number of the Sync that ends what it was sent with: all of that is one transaction, unless BEGIN says otherwise. */
  unit: number;
  /** Of an execution: `new` runs a portal from its beginning, `continued` fetches more, `unknown` runs what SQL has named. */
  portal: 'new' | 'continued' | 'unknown';
  /** Streams that had run something before and were open when it was asked. */
  beside: readonly number[];
  /** Start-up parameters, with the first statement of a stream. */
  settings: ReadonlyMap<string, string> | undefined;
  data: DataSpool | undefined;
}

type Facts = Omit<ScriptItem, 'statement'>;

interface Stream {
  settings: Map<string, string> | undefined;
  unit: number;
  hasRun: boolean;
  parses: Map<string, number>;
  /** By portal: its bind, and whether it has run. */
  binds: Map<string, { seq: number; known: boolean; hasRun: boolean }>;
}

/** Names of a stream that are remembered; a client that makes more loses the oldest, and is told so at the statement. */
const namesMax = 10_000;

/** The statements of a recording as a script takes them. `spool` makes a place for the COPY data of one statement. */
export async function* scriptItems(
  entries: AsyncIterable<Entry>,
  options: TimelineOptions & { spool: () => DataSpool },
): AsyncGenerator<ScriptItem> {
  const watch = new Watch(options.spool);
  const seen = async function* (): AsyncGenerator<Entry> {
    for await (const entry of entries) {
      await watch.see(entry);
      yield entry;
    }
  };
  for await (const statement of statementsOf(seen(), options)) yield { statement, ...watch.take(statement.seq) };
}

/** Sees each entry before the timeline does. */
class Watch {
  readonly #spool: () => DataSpool;
  readonly #streams = new Map<number, Stream>();
  readonly #facts = new Map<number, Facts>();

  constructor(spool: () => DataSpool) {
    this.#spool = spool;
  }

  async see({ header, body }: Entry): Promise<void> {
    switch (body.kind) {
      case 'stream-open':
        this.#streams.set(header.stream, {
          settings: new Map(),
          unit: 0,
          hasRun: false,
          parses: new Map(),
          binds: new Map(),
        });
        break;
      case 'state':
        this.#streams.get(header.stream)?.settings?.set(body.name, body.value);
        break;
      case 'statement':
        this.#statement(header, body);
        break;
      case 'data': {
        const facts = this.#facts.get(body.of);
        if (facts) await (facts.data ??= this.#spool()).append(body.bytes);
        break;
      }
      case 'stream-close':
        this.#streams.delete(header.stream);
        break;
      default:
        break;
    }
  }

  take(seq: number): Facts {
    const facts = this.#facts.get(seq);
    this.#facts.delete(seq);
    return facts ?? { unit: seq, portal: 'unknown', beside: [], settings: undefined, data: undefined };
  }

  #statement({ seq, stream: ordinal }: EntryHeader, event: StatementEvent): void {
    const stream = this.#streams.get(ordinal);
    if (!stream) return;
    const { verb, of } = event;
    const portalName = nameOf(event.portalName);
    if (verb === 'parse') remember(stream.parses, nameOf(event.statementName), seq);
    if (verb === 'bind') {
      const known = of !== undefined && stream.parses.get(nameOf(event.statementName)) === of;
      remember(stream.binds, portalName, { seq, known, hasRun: false });
    }
    if (verb === 'sync') stream.unit++;
    if (verb !== 'execute' && verb !== 'query' && verb !== 'function-call' && verb !== 'command') return;
    const bind = stream.binds.get(portalName);
    const isBound = verb === 'execute' && bind?.known === true && bind.seq === of;
    if (verb !== 'execute') stream.unit++;
    this.#facts.set(seq, {
      unit: stream.unit,
      portal: isBound ? (bind.hasRun ? 'continued' : 'new') : 'unknown',
      beside: this.#beside(ordinal),
      settings: stream.settings,
      data: undefined,
    });
    if (verb !== 'execute') stream.unit++;
    if (bind) bind.hasRun = true;
    stream.hasRun = true;
    stream.settings = undefined;
  }

  #beside = (ordinal: number): number[] =>
    [...this.#streams].filter(([other, { hasRun }]) => other !== ordinal && hasRun).map(([other]) => other);
}

const nameOf = (name: Uint8Array | undefined): string => Buffer.from(name ?? []).toString('latin1');

function remember<Value>(names: Map<string, Value>, name: string, value: Value): void {
  names.delete(name);
  names.set(name, value);
  const [oldest] = names.keys();
  if (names.size > namesMax && oldest !== undefined) names.delete(oldest);
}
