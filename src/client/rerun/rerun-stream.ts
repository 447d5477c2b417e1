import type { Event, OutcomeEvent, StatementEvent } from '../../protocol/event.ts';
import type { BackendReady, Decoder, Protocol, Step } from '../../protocol/protocol.ts';
import { systemClock } from '../../shared/clock.ts';
import { limits } from '../../shared/limits.ts';

/** More than this held by the decoder waits for an answer: what is behind it need not be in memory. */
const heldBytesMax = 1024 * 1024;
/** How long a server may take to close a connection that was ended: it rolls back and drops temporary tables before. */
const farewellMillisMax = 5000;

/** A sync that was sent, and whether something was executed before it that it commits. */
interface SentSync {
  seq: number;
  local: number | undefined;
  hasRun: boolean;
}

export interface RerunStreamParts {
  protocol: Protocol;
  ready: BackendReady;
  /** What the recording leaves out, as there: a digest is withheld where it was. */
  redact: readonly string[] | undefined;
  /** What came of a statement, this time. */
  onOutcome: (seq: number, outcome: OutcomeEvent) => void;
}

/**
 * One connection to the target, for one recorded stream. What is sent goes through the same decoder that made the recording, so that
 * outcomes and digests are computed by the same code. Statements are named by their sequence numbers in the recording.
 */
export class RerunStream {
  readonly #parts: RerunStreamParts;
  readonly #decoder: Decoder;
  /** Sent, and not yet read by the decoder (which keeps back what an answer on its way decides). */
  readonly #unread: { seq: number; verb: string }[] = [];
  /** The decoder's numbers → the recording's. */
  readonly #recorded = new Map<number, number>();
  /** Sent and answered, of those in flight. */
  readonly #settled = new Set<number>();
  readonly #syncs: SentSync[] = [];
  #waiting: (() => void)[] = [];
  #hasRun = false;
  #mustFlush = false;
  #local = 0;
  /** Statements that were sent and whose recorded outcome has not come up yet. */
  readonly inFlight = new Set<number>();
  isOver = false;

  constructor(parts: RerunStreamParts) {
    this.#parts = parts;
    const { protocol, ready, redact } = parts;
    this.#decoder = protocol.createDecoder({
      sink: { append: (event) => this.#append(event) },
      clock: systemClock,
      messageBytesMax: limits.messageBytesMax,
      greeting: ready.greeting,
      redact,
    });
    void this.#listen();
  }

  get inTransaction(): boolean {
    return this.#decoder.inTransaction === true;
  }

  /** Sends a recorded statement's message, or another in its place; resolves when it is on its way. */
  async send(
    seq: number,
    { verb, expectsOutcome }: Pick<StatementEvent, 'verb' | 'expectsOutcome'>,
    bytes: Uint8Array,
  ) {
    if (expectsOutcome) this.inFlight.add(seq);
    this.#unread.push({ seq, verb });
    if (verb === 'sync') {
      this.#forgetSyncs();
      this.#syncs.push({ seq, local: undefined, hasRun: this.#hasRun });
      this.#hasRun = false;
    } else this.#hasRun ||= expectsOutcome;
    this.#mustFlush = verb !== 'sync' && verb !== 'query';
    this.#forget();
    await this.sendBytes(bytes);
  }

  /** Bytes that belong to a statement (COPY data), or that are none (a flush). */
  async sendBytes(bytes: Uint8Array): Promise<void> {
    await this.#carry(this.#decoder.client(bytes));
    await this.until(() => this.#decoder.heldBytes < heldBytesMax);
  }

  /** Its recorded outcome has come up: it had ended by then. */
  hasEnded(seq: number): void {
    this.inFlight.delete(seq);
    this.#settled.delete(seq);
  }

  /** Something runs of which the recording does not show the end yet. */
  get isRunning(): boolean {
    return !this.isOver && [...this.inFlight].some((seq) => !this.#settled.has(seq));
  }

  /** Resolves true when there is an outcome, or the stream is over; false after `millisMax`. */
  async settled(seq: number, { millisMax, signal }: Patience): Promise<boolean> {
    const { flush } = this.#parts.protocol.again;
    if (flush && this.#mustFlush && !this.#isDone(seq) && !this.isOver) {
      this.#mustFlush = false;
      await this.sendBytes(flush());
    }
    return this.until(() => this.#isDone(seq), { millisMax, signal });
  }

  /**
   * The oldest sync that is not answered although everything before it is, in the recording: what it commits may be what other streams are
   * about to read.
   */
  get dueSync(): { seq: number; hasRun: boolean } | undefined {
    const [oldest = Infinity] = this.inFlight;
    this.#forgetSyncs();
    const sync = this.#syncs[0];
    return sync && sync.seq < oldest ? sync : undefined;
  }

  /** It waits for something that has to be sent first. */
  giveUpSync(): void {
    this.#syncs.shift();
  }

  /** Resolves true when it holds, or the stream is over; false after `millisMax`, or when the signal aborts. */
  async until(holds: () => boolean, { millisMax = Infinity, signal }: Partial<Patience> = {}): Promise<boolean> {
    const deadline = performance.now() + millisMax;
    while (!holds() && !this.isOver) {
      const left = deadline - performance.now();
      if (left <= 0 || signal?.aborted) return false;
      await this.#change(left, signal);
    }
    return true;
  }

  /** Cancels what runs, for a run that is given up. */
  async cancel(): Promise<void> {
    if (this.inFlight.size > 0 && !this.isOver) await this.#parts.ready.cancel().catch(() => undefined);
  }

  /** Ends the connection as the recorded one ended, and waits until the server is done with it. */
  async close(): Promise<void> {
    if (!this.isOver) this.#parts.ready.resource.end();
    await this.until(() => false, { millisMax: farewellMillisMax });
    this.#parts.ready.resource.reset('the stream is over');
  }

  /** A preparation has an outcome only where it fails: else it is done when it is answered. */
  #isDone(seq: number): boolean {
    if (this.#settled.has(seq)) return true;
    if (this.inFlight.has(seq) || this.#unread.some((sent) => sent.seq === seq)) return false;
    const [local] = [...this.#recorded].find(([, recorded]) => recorded === seq) ?? [];
    return local === undefined || !this.#decoder.awaits?.(local);
  }

  #forgetSyncs(): void {
    while (this.#syncs[0] && this.#isAnswered(this.#syncs[0])) this.#syncs.shift();
  }

  #isAnswered({ local }: SentSync): boolean {
    return this.isOver || (local !== undefined && !this.#decoder.awaits?.(local));
  }

  async #listen(): Promise<void> {
    const { resource, leftover } = this.#parts.ready;
    try {
      if (leftover.length > 0) await this.#carry(this.#decoder.resource(leftover));
      for (let bytes = await resource.read(); bytes; bytes = await resource.read())
        await this.#carry(this.#decoder.resource(bytes));
    } catch {
      // Reset: what is unanswered stays unknown, and who waits is told below.
    }
    this.#decoder.resourceEnded();
    this.#end();
  }

  /** What the recorded client was told is told to nobody. */
  async #carry({ toResource, end }: Step): Promise<void> {
    const writes = toResource.map((bytes) => this.#parts.ready.resource.write(bytes));
    this.#wake();
    try {
      await Promise.all(writes);
    } catch {
      this.#end();
    }
    if (end) this.#end();
  }

  #end(): void {
    this.isOver = true;
    this.#wake();
  }

  #append(event: Event): number {
    const local = this.#local++;
    if (event.kind === 'statement') {
      // The end of a COPY that has failed is read by nobody.
      while (this.#unread[0] && this.#unread[0].verb !== event.verb) this.#unread.shift();
      const seq = this.#unread.shift()?.seq;
      if (seq !== undefined) this.#read(local, seq);
    }
    if (event.kind === 'outcome') {
      const seq = this.#recorded.get(event.of);
      if (seq !== undefined) this.#settle(seq, event);
      this.#recorded.delete(event.of);
    }
    return local;
  }

  #settle(seq: number, outcome: OutcomeEvent): void {
    this.#settled.add(seq);
    this.#parts.onOutcome(seq, outcome);
  }

  #read(local: number, seq: number): void {
    this.#recorded.set(local, seq);
    const sync = this.#syncs.find((sent) => sent.seq === seq);
    if (sync) sync.local = local;
  }

  /** Preparations have an outcome only where they fail: the answered ones are forgotten. */
  #forget(): void {
    if (this.#recorded.size < forgetAt) return;
    for (const [local] of this.#recorded) if (!this.#decoder.awaits?.(local)) this.#recorded.delete(local);
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resume of waiting) resume();
  }

  #change(millisMax: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const timer = Number.isFinite(millisMax) ? setTimeout(() => this.#wake(), millisMax) : undefined;
      const wake = () => this.#wake();
      signal?.addEventListener('abort', wake, { once: true });
      this.#waiting.push(() => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', wake);
        resolve();
      });
    });
  }
}

const forgetAt = 4096;

export interface Patience {
  millisMax: number;
  signal: AbortSignal;
}
