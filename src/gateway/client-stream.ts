import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { Admission, Decoder, LocalCredential, Protocol, RecordPolicy, Startup } from '../protocol/protocol.ts';
import type { Clock } from '../shared/clock.ts';
import { resetAfter, StreamReset, type Duplex } from '../shared/duplex.ts';
import { ProtocolError, UserError } from '../shared/errors.ts';
import { limits } from '../shared/limits.ts';
import type { Log } from '../shared/log.ts';
import type { HeldBudget } from './held-budget.ts';
import type { OpenedResource } from './agent-links.ts';
import { prefixed } from '../tunnel/control.ts';
import { readAhead } from './read-ahead.ts';
import { relay, type RelayParts } from './relay.ts';
import type { StreamRecorder } from './recorder.ts';

/** Why a client that proved its credential is not let in. */
export interface Refusal {
  code: string;
  /** Kebab-case, for the record. */
  reason: string;
  message: string;
}

/** What a stream needs of its session. */
export interface StreamContext {
  protocol: Protocol;
  policy: RecordPolicy;
  credential: LocalCredential;
  record: StreamRecorder;
  durable: () => Promise<void>;
  /** It may say who it is, and cancel another stream, but nothing else. */
  refusal: Refusal | undefined;
  openResource: (startup: Startup, signal: AbortSignal) => Promise<OpenedResource>;
  /** Finds the stream of this session that owns the key and cancels what runs there. */
  cancelByKey: (key: Uint8Array) => void;
  held: HeldBudget;
  clock: Clock;
  messageBytesMax: number;
  log: Log;
}

/** One client connection inside a session: login, resource, relay, end. */
export class ClientStream {
  readonly #client: Duplex;
  readonly #context: StreamContext;
  #cancelKey: Uint8Array | undefined;
  #decoder: Decoder | undefined;
  #resource: Pick<OpenedResource, 'duplex' | 'cancel'> | undefined;
  /** While the resource is being opened: aborted when nobody waits for it any more. */
  #opening: AbortController | undefined;
  #aborted: { code: string; message: string } | undefined;

  #isOver = false;
  /** Who waits for the end. */
  #drained: (() => void)[] | undefined;

  constructor(client: Duplex, context: StreamContext) {
    this.#client = client;
    this.#context = context;
  }

  /** Runs until the stream is over, and calls; never rejects. The record says why it ended. */
  async run(over: () => void): Promise<void> {
    let reason: string;
    try {
      // What only the opening needs ends with it: most streams are idle most of the time, and there are thousands of them.
      const opened = await this.#open();
      reason = typeof opened === 'string' ? opened : (await relay(opened)).reason;
    } catch (error) {
      reason = this.#fail(error);
    }
    this.#resource?.duplex.reset(reason);
    endSoon(this.#client);
    this.#context.record.close(this.#aborted?.code ?? reason);
    this.#isOver = true;
    for (const resolve of this.#drained ?? []) resolve();
    over();
  }

  /** Ends the stream for a reason of the gateway's; the client gets the protocol's own error. */
  abort(code: string, message: string): void {
    if (this.#aborted) return;
    this.#aborted = { code, message };
    this.#opening?.abort();
    try {
      const step = this.#decoder?.abort(code, message);
      this.#farewell(step?.toClient ?? [this.#context.protocol.fatal(code, message)]);
    } catch {
      // The record has failed: there is nothing left to write it to; the client is told all the same.
      this.#farewell([this.#context.protocol.fatal(code, message)]);
    }
  }

  /** Takes nothing new; resolves when what is in flight has its outcome, and the stream is over. */
  drain(code: string, message: string): Promise<void> {
    if (!this.#decoder) this.abort(code, message); // nothing of it has reached the resource
    else if (!this.#aborted) this.#drain(this.#decoder, code, message);
    if (this.#isOver) return Promise.resolve();
    return new Promise((resolve) => (this.#drained ??= []).push(resolve));
  }

  #drain(decoder: Decoder, code: string, message: string): void {
    try {
      const step = decoder.drain(code, message);
      if (!step.end) return; // the relay ends it, after the last outcome
      this.#aborted = { code, message };
      this.#farewell(step.toClient);
    } catch {
      this.abort(code, message);
    }
  }

  owns(key: Uint8Array): boolean {
    const own = this.#cancelKey;
    return own !== undefined && own.length === key.length && timingSafeEqual(own, key);
  }

  /**
   * Records the cancel and passes it on once it is durable (invariant 1: it acts at the resource), but only while something is in flight on
   * this very stream. Never rejects.
   */
  async cancel(): Promise<void> {
    try {
      if (!this.#decoder?.cancel()) return;
      await this.#context.durable();
      this.#resource?.cancel();
    } catch {
      // The record has failed: what cannot be recorded is not passed on, a cancel neither.
    }
  }

  /** Login and resource: what the relay joins, or the reason for which there is none. */
  async #open(): Promise<RelayParts | string> {
    const admission = await this.#admit();
    if (admission.kind !== 'admitted') return this.#turnAway(admission);
    if (this.#context.refusal) return this.#refuse(this.#context.refusal);
    return this.#openResource(admission);
  }

  async #admit(): Promise<Admission> {
    const { protocol, credential, messageBytesMax } = this.#context;
    // Not `resetAfter`, which keeps its timer for as long as the stream lives.
    const deadline = setTimeout(() => this.#client.reset('login took too long'), limits.handshakeMillisMax);
    try {
      return await protocol.frontend.admit(this.#client, { credential, messageBytesMax, randomBytes });
    } finally {
      clearTimeout(deadline);
    }
  }

  #turnAway(admission: Exclude<Admission, { kind: 'admitted' }>): string {
    if (admission.kind === 'gone') return 'client-gone';
    if (admission.kind === 'cancel') {
      this.#context.cancelByKey(admission.key);
      return 'cancel-request';
    }
    this.#context.record.append({ kind: 'refusal', reason: admission.reason, message: admission.message });
    return admission.reason;
  }

  #refuse({ code, reason, message }: Refusal): string {
    this.#context.record.append({ kind: 'refusal', reason, message });
    this.#farewell([this.#context.protocol.fatal(code, message)]);
    return reason;
  }

  async #openResource({
    startup,
    leftover,
    cancelKeyBytes,
    greet,
  }: Extract<Admission, { kind: 'admitted' }>): Promise<RelayParts | string> {
    const { protocol, policy, credential, record, durable, clock, held, messageBytesMax } = this.#context;
    for (const [name, value] of Object.entries(startup.parameters)) record.append({ kind: 'state', name, value });
    await durable(); // start-up parameters act at the resource too
    const opening = new AbortController();
    if (this.#aborted) opening.abort();
    this.#opening = opening;
    const ahead = readAhead(this.#client);
    void ahead.left.then(() => opening.abort());
    const { greeting, duplex, cancel } = await this.#context.openResource(startup, opening.signal);
    this.#resource = { duplex, cancel };
    if (this.#aborted) return this.#aborted.code;
    this.#opening = undefined;
    this.#cancelKey = Buffer.from(randomBytes(cancelKeyBytes)); // in memory that many share
    this.#decoder = protocol.createDecoder({ sink: record, clock, messageBytesMax, greeting, credential, ...policy });
    await this.#client.write(greet(greeting, this.#cancelKey));
    const client = prefixed(leftover, ahead.client);
    return { client, resource: duplex, decoder: this.#decoder, together: record.together, durable, held };
  }

  /** Reset by a side, or the gateway cannot go on: outcomes become unknown, the client is told where it still listens. */
  #fail(error: unknown): string {
    if (this.#aborted) return this.#aborted.code;
    if (!this.#decoder && this.#opening?.signal.aborted) return 'client-gone';
    if (error instanceof ProtocolError)
      return this.#giveUp('HOOP_PROTOCOL', `the agent sent what cannot be: ${error.message}`);
    if (error instanceof UserError)
      return this.#giveUp(error.code, error.next ? `${error.message}; ${error.next}` : error.message);
    // Anything but a reset is a bug of ours: the stream ends, the gateway lives on, the log has it.
    if (!(error instanceof StreamReset))
      this.#context.log.error({ error: error instanceof Error ? error.stack : String(error) }, 'a stream failed');
    try {
      const step = this.#decoder?.resourceEnded();
      this.#farewell(step?.toClient ?? []);
    } catch {
      return 'HOOP_RECORDER';
    }
    return 'reset';
  }

  /** The record says why, as far as it can still be written, and the client is told. */
  #giveUp(code: string, message: string): string {
    try {
      this.#context.record.append({ kind: 'refusal', reason: code, message });
    } catch {
      // The record itself has failed; its session ends.
    }
    this.abort(code, message);
    this.#aborted = undefined;
    return code;
  }

  #farewell(buffers: Uint8Array[]): void {
    for (const bytes of buffers) this.#client.write(bytes).catch(() => undefined); // a client that is gone needs no farewell
    endSoon(this.#client); // a client that neither reads nor leaves must not keep the session from its seal
    this.#resource?.duplex.reset('aborted');
  }
}

/** Ends our half now; a client that does not end its own (it may be in the midst of a COPY) is cut off after it could read why. */
export function endSoon(client: Duplex): void {
  client.end();
  resetAfter(client, limits.lingerMillis, 'the stream is over');
}
