import type { Clock } from '../../shared/clock.ts';
import { ProtocolError } from '../../shared/errors.ts';
import type { EventSink, OutcomeEvent, Sequence } from '../event.ts';
import type { StreamEnd } from '../protocol.ts';
import { Fifo } from './fifo.ts';
import type { Complaint, RespVersion } from './login.ts';
import { Scripts } from './scripts.ts';
import { Subscriptions } from './subscriptions.ts';

/** Commands without an answer, on one stream: some 200 bytes each here. A pipeline of a mass import has tens of thousands. */
const awaitedMax = 1_000_000;

/** One command, in the order of sending, whose answer is to come. */
export interface Awaited {
  entry: Sequence;
  /** The command's name, lower-case. */
  name: string;
  sentMicros: number;
  /** The gateway's own answer: nothing was forwarded, its outcome is recorded. It waits for its turn. */
  own?: Uint8Array;
  /** After that answer the stream ends. */
  ends?: StreamEnd;
  /** EXEC of a transaction of which a command was refused: DISCARD was forwarded in its place. */
  isDiscarded?: boolean;
  /** Subscriptions: channels that the command names, and confirmations to come (once the first is there). */
  channels?: number;
  confirmationsLeft?: number;
}

/** What both halves of the decoder share: the state of one stream as far as the server has confirmed it. */
export class Conversation {
  readonly sink: EventSink;
  readonly clock: Clock;
  readonly awaited = new Fifo<Awaited>();
  readonly scripts = new Scripts();
  readonly subscriptions = new Subscriptions();
  version: RespVersion = 2;
  /** Commands that the server has queued since it took a MULTI. */
  queued: Awaited[] | undefined;
  /** A MULTI was sent, and neither EXEC nor DISCARD since: what is sent now may be queued. */
  inTransaction = false;
  /** A command of that transaction was refused. */
  isSpoilt = false;
  /** Set while the gateway stops: nothing new is taken, and with the last answer the stream ends. */
  stopping: { reason: string; complaint: Complaint } | undefined;
  /** Set by an answer of the gateway's after which nothing follows. */
  end: StreamEnd | undefined;
  readonly #tell: (bytes: Uint8Array) => void;

  constructor(sink: EventSink, clock: Clock, tell: (bytes: Uint8Array) => void) {
    this.sink = sink;
    this.clock = clock;
    this.#tell = tell;
  }

  get head(): Awaited | undefined {
    return this.awaited.head;
  }

  /** Nothing of either side is read behind this, also where it came in one piece with it. */
  get isOver(): boolean {
    return this.end !== undefined || (this.stopping !== undefined && !this.head);
  }

  /** Called before a command is recorded: one that is recorded gets an outcome. */
  checkRoom(): void {
    if (this.awaited.length + (this.queued?.length ?? 0) >= awaitedMax)
      throw new ProtocolError('too-many-commands', `${awaitedMax} commands without an answer; read the answers first`);
  }

  expect(item: Omit<Awaited, 'sentMicros'>): void {
    this.awaited.push({ ...item, sentMicros: this.clock.monotonicMicros() });
    this.tellOwn();
  }

  /** The first in the queue is answered. */
  answered(): void {
    this.awaited.shift();
    this.tellOwn();
  }

  /** Sends the gateway's own answers whose turn it is. */
  tellOwn(): void {
    for (let item = this.head; item?.own && !this.end; item = this.head) {
      this.#tell(item.own);
      this.end = item.ends;
      this.awaited.shift();
    }
  }

  outcome({ entry, sentMicros }: Awaited, outcome: Omit<OutcomeEvent, 'kind' | 'of' | 'durationMicros'>): void {
    const durationMicros = this.clock.monotonicMicros() - sentMicros;
    this.sink.append({ kind: 'outcome', of: entry, ...outcome, durationMicros });
  }

  /** The transaction is over: its commands were not run. */
  skipQueued(errorMessage: string): void {
    for (const { entry } of this.queued ?? [])
      this.sink.append({ kind: 'outcome', of: entry, status: 'skipped', errorMessage });
    this.queued = undefined;
  }

  /** Nothing will be answered any more: never guessed. Only an EXEC runs what was queued. */
  loseAll(): void {
    const lost = this.awaited.drain().filter(({ own }) => own === undefined);
    if (lost.some(({ name, isDiscarded }) => name === 'exec' && !isDiscarded)) {
      for (const item of this.queued ?? []) this.outcome(item, { status: 'unknown' });
      this.queued = undefined;
    } else this.skipQueued('the connection ended before EXEC');
    for (const item of lost) this.outcome(item, { status: 'unknown' });
  }
}
