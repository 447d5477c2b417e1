import type { Sequence } from '../event.ts';
import type { Definition } from './names.ts';
import type { Result } from './result.ts';

/** `copied`: COPY data to the client is over, its tag is to come. `failed`: only ReadyForQuery can come. */
export type Phase = 'rows' | 'copy-in' | 'copy-out' | 'copied' | 'failed';

export type AwaitedKind = 'parse' | 'bind' | 'describe' | 'close' | 'execute' | 'sync' | 'query' | 'function-call';

/** One message that was sent, while its answer is to come. Every property is there from the first: there is one for each message. */
export class Awaited {
  readonly kind: AwaitedKind;
  /** The entry that an error belongs to. */
  readonly entry: Sequence;
  readonly sentMicros: number;
  /** Must end with an outcome. */
  readonly expectsOutcome: boolean;
  /** Sent by the gateway, not by the client: its answer is not passed on. */
  isOurs = false;
  /** Which name map its confirmation changes. */
  changes: 'statement' | 'portal' | undefined = undefined;
  /** Describe of a statement: whose parameter types the ParameterDescription tells. */
  described: Definition | undefined = undefined;
  /** What an error is to say in the place of the server's words (the gateway made it fail). */
  error: { code: string; message: string; hint: string } | undefined = undefined;
  /** Its text or parameters were withheld from the record: then so is what the server says of them. */
  isWithheld = false;
  /** Execute, Describe: the statement behind the portal. */
  definition: Definition | undefined = undefined;
  /** Describe of a statement: ParameterDescription came, RowDescription or NoData is next. */
  sawParameters = false;
  /** How far the answer to a Query, Execute or FunctionCall has come; undefined between the commands of a Query. */
  phase: Phase | undefined = undefined;
  /** A Query or FunctionCall got what it must get before ReadyForQuery. */
  isAnswered = false;
  /** COPY from the client: Syncs that were sent ahead of it, which the server ignores, if the COPY lives long enough to read them. */
  syncsAhead = 0;
  /** What came back so far. */
  result: Result | undefined = undefined;
  /** What was sent next; undefined once it is off the queue. */
  next: Awaited | undefined = undefined;

  constructor(kind: AwaitedKind, entry: Sequence, sentMicros: number) {
    this.kind = kind;
    this.entry = entry;
    this.sentMicros = sentMicros;
    this.expectsOutcome = kind === 'execute' || kind === 'query' || kind === 'function-call';
  }
}

/** In the order of sending. */
export class AwaitedQueue {
  head: Awaited | undefined = undefined;
  #tail: Awaited | undefined = undefined;

  push(item: Awaited): void {
    if (this.#tail === undefined) this.head = item;
    else this.#tail.next = item;
    this.#tail = item;
  }

  /** Takes the first one off; there must be one. */
  shift(): Awaited {
    const item = this.head!;
    this.head = item.next;
    if (this.head === undefined) this.#tail = undefined;
    item.next = undefined; // whoever keeps it does not keep all that came later
    return item;
  }

  /** Takes the one behind the first off; there must be one. */
  dropSecond(): void {
    const head = this.head!;
    const second = head.next!;
    head.next = second.next;
    second.next = undefined;
    if (this.#tail === second) this.#tail = head;
  }

  find(test: (item: Awaited) => boolean): Awaited | undefined {
    let item = this.head;
    while (item !== undefined && !test(item)) item = item.next;
    return item;
  }
}
