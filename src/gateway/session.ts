import type { LocalCredential, Protocol, RecordPolicy, Startup } from '../protocol/protocol.ts';
import type { Clock } from '../shared/clock.ts';
import { resetAfter, type Duplex } from '../shared/duplex.ts';
import { streamOpenSchema, type StreamOpen } from '../shared/handshake.ts';
import { limits } from '../shared/limits.ts';
import type { Log } from '../shared/log.ts';
import { readControl } from '../tunnel/control.ts';
import type { AgentLink, OpenedResource } from './agent-links.ts';
import { ClientStream, endSoon, type Refusal } from './client-stream.ts';
import type { HeldBudget } from './held-budget.ts';
import type { SessionRecorder } from './recorder.ts';
import type { SessionWitness } from './witness-feed.ts';

export interface SessionParts {
  recorder: SessionRecorder;
  link: AgentLink;
  witness: SessionWitness | undefined;
  resource: string;
  user: string;
  actor: string | null;
  protocol: Protocol;
  policy: RecordPolicy;
  credential: LocalCredential;
  held: HeldBudget;
  /** In milliseconds; undefined for no end of its own. */
  expiresAt?: number | undefined;
  clock: Clock;
  log: Log;
  messageBytesMax: number;
}

export interface SessionEnd {
  /** What the record says: client_closed, client_lost, agent_lost, gateway_stopped, killed, … */
  reason: string;
  message: string;
  /** The client must not open a successor. */
  final: boolean;
  /** Access was taken away: what runs at the resource is cancelled there, not left to finish. */
  cancels?: boolean;
}

/** One principal's use of one resource, from allow to end; owns its streams and its recording. */
export class GatewaySession {
  readonly parts: SessionParts;
  readonly #streams = new Map<number, ClientStream>();
  /** Streams that run, and those among them that are there to be told that they are too many. */
  #running = 0;
  #refused = 0;
  /** Who waits for none to run. */
  #allOver: (() => void) | undefined;
  /** Opened, but they did not say yet what they are. */
  readonly #silent = new Set<Duplex>();
  #draining: Refusal | undefined;
  #ordinal = 0;
  #ending: Promise<void> | undefined;
  #end: SessionEnd | undefined;
  #resolveEnded!: (end: SessionEnd) => void;
  /** The same for all streams. */
  readonly #durable: () => Promise<void>;
  readonly #cancelByKey = (key: Uint8Array): void =>
    void [...this.#streams.values()].find((other) => other.owns(key))?.cancel();
  /** Resolves when the session is over and sealed. */
  readonly ended: Promise<SessionEnd>;

  constructor(parts: SessionParts) {
    this.parts = parts;
    const { recorder, witness } = parts;
    this.#durable = witness ? () => witness.after(recorder.durable()) : () => recorder.durable();
    if (witness) witness.onBehind = () => void this.#durable().catch(() => undefined); // who waits for the record hears of it
    this.ended = new Promise((resolve) => (this.#resolveEnded = resolve));
  }

  get id(): string {
    return this.parts.recorder.id;
  }

  /** Until its time is over; undefined where it has no end of its own. */
  get secondsLeft(): number | undefined {
    const { expiresAt, clock } = this.parts;
    return expiresAt === undefined ? undefined : Math.max(0, Math.round((expiresAt - clock.nowMicros() / 1000) / 1000));
  }

  /** Takes a stream that the client opened. */
  accept(duplex: Duplex): void {
    // Those that have not said yet what they are count too: else the bound could be passed by opening first and saying later.
    const isTooMany = this.#running - this.#refused >= limits.streamsPerSessionMax;
    if (isTooMany && this.#refused >= limits.streamsRefusedMax) return duplex.reset(tooMany.message);
    // What comes when the session ends is turned away, and nobody waits for it: else the end could be put off for ever.
    if (this.#end) return void this.#take(duplex).catch((error: unknown) => this.#broken(duplex, error));
    this.#running++;
    if (isTooMany) this.#refused++;
    const over = () => this.#over(isTooMany);
    const broken = (error: unknown) => {
      this.#broken(duplex, error);
      over();
    };
    // One promise for as long as the stream lives, not a chain of them: most streams are idle most of the time.
    this.#take(duplex, isTooMany ? tooMany : undefined).then(
      (taken) => (taken ? void taken.run.then(over, broken) : over()),
      broken,
    );
  }

  #over(wasTooMany: boolean): void {
    this.#running--;
    if (wasTooMany) this.#refused--;
    if (this.#running === 0) this.#allOver?.();
  }

  /** Takes nothing new; resolves when all that was in flight has its outcome. */
  async drain({ reason, message }: SessionEnd): Promise<void> {
    this.#draining = { code: reason, reason: 'gateway-stopping', message };
    await Promise.all([...this.#streams.values()].map((stream) => stream.drain(reason, message)));
  }

  /** Ends all streams, seals the recording. Idempotent: the first reason stands. */
  end(end: SessionEnd): Promise<void> {
    this.#end ??= end;
    this.#ending ??= this.#finish(this.#end);
    return this.#ending;
  }

  async #finish(end: SessionEnd): Promise<void> {
    for (const stream of this.#streams.values()) {
      if (end.cancels) void stream.cancel();
      stream.abort(end.reason, end.message);
    }
    for (const duplex of this.#silent) resetAfter(duplex, limits.lingerMillis, end.message);
    if (this.#running > 0) await new Promise<void>((resolve) => (this.#allOver = resolve));
    try {
      await this.parts.recorder.seal(end.reason);
      this.parts.witness?.showEnd();
    } catch (error) {
      // The journal keeps what is durable; recovery seals it at the next start.
      this.parts.log.error({ session: this.id, error: String(error) }, 'the recording could not be sealed');
    }
    this.#resolveEnded(end);
  }

  /** Resolves when the stream has said what it is: with its life, unless it is turned away. */
  async #take(duplex: Duplex, refusal?: Refusal): Promise<{ run: Promise<void> } | undefined> {
    const { value: open, rest: client } = await this.#readOpen(duplex);
    if (!this.#end) return { run: this.#serve(client, open, this.#draining ?? refusal) };
    this.#turnAway(client, this.#end); // it ended meanwhile: nobody would end this stream any more
    return undefined;
  }

  async #readOpen(duplex: Duplex) {
    this.#silent.add(duplex);
    try {
      return await readControl(duplex, streamOpenSchema);
    } finally {
      this.#silent.delete(duplex);
    }
  }

  #serve(client: Duplex, { evidence }: StreamOpen, refusal: Refusal | undefined): Promise<void> {
    const { recorder, protocol, policy, credential, held, clock, messageBytesMax, log } = this.parts;
    const ordinal = ++this.#ordinal;
    const stream = new ClientStream(client, {
      protocol,
      policy,
      credential,
      record: recorder.stream(ordinal, { evidence }),
      durable: this.#durable,
      refusal,
      openResource: (startup, signal) => this.#openResource(ordinal, startup, signal),
      cancelByKey: this.#cancelByKey,
      held,
      clock,
      messageBytesMax,
      log,
    });
    this.#streams.set(ordinal, stream);
    return stream.run(() => void this.#streams.delete(ordinal));
  }

  #openResource(stream: number, startup: Startup, signal: AbortSignal): Promise<OpenedResource> {
    const { link, resource, witness } = this.parts;
    return link.openResource({ resource, session: this.id, stream, startup, label: this.#label(), witness }, signal);
  }

  /** The record is sealed, or is about to be: the client is told, and nobody waits for it. */
  #turnAway(client: Duplex, { message, final }: SessionEnd): void {
    const told = `the session is ending: ${message}${final ? '' : '; connect again'}`;
    const refused = this.parts.protocol.frontend.refuse(client, 'HOOP_SESSION_ENDED', told);
    void refused.then(() => endSoon(client));
    resetAfter(client, limits.lingerMillis, 'the session ended');
  }

  /** What the resource's own log can show (63 bytes at most there). */
  #label(): string {
    const { user, actor } = this.parts;
    return ['hoop', this.id.slice(0, 12), user, actor ?? ''].filter(Boolean).join('/').slice(0, 63);
  }

  /** A stream failed outside of what a client can cause: most likely the record. The session cannot go on (invariant 3). */
  #broken(duplex: Duplex, error: unknown): void {
    duplex.reset('the stream failed'); // nobody reads it any more
    this.parts.log.error({ session: this.id, error: String(error) }, 'a stream failed');
  }
}

const tooMany: Refusal = {
  code: 'HOOP_LIMIT',
  reason: 'too-many-streams',
  message: `hoop: this session has ${limits.streamsPerSessionMax} connections already, the most that one may have; close some, or give each program a \`hoop connect\` of its own`,
};
