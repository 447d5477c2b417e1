import { connect, type Socket } from 'node:net';
import type { Event, StatementEvent, OutcomeEvent } from '../../src/protocol/event.ts';
import type { Decoder, Step } from '../../src/protocol/protocol.ts';
import { createDecoder } from '../../src/protocol/postgres/decoder.ts';
import { backendType, headerBytes } from '../../src/protocol/postgres/messages.ts';
import { Splitter, wholeMessages } from '../../src/protocol/postgres/splitter.ts';
import { systemClock } from '../../src/shared/clock.ts';

const messageBytesMax = 64 * 1024 * 1024;

/** A message that the client side received. */
export interface Received {
  type: string;
  body: Buffer;
}

/**
 * A raw client of a real PostgreSQL (trust authentication) with the decoder between: what is sent goes through the decoder, what it
 * recorded lies in `events`, what comes back is in `received`.
 */
export class DecodedStream {
  readonly events: Event[] = [];
  readonly received: Received[] = [];
  /** Bytes that the decoder let through to the server. */
  readonly forwarded: Buffer[] = [];
  end: Step['end'] = null;
  /** Called for each message as the client gets it, before the decoder sees a byte more of what the server sent. */
  onReceived: (message: Received) => void = () => undefined;
  readonly #socket: Socket;
  #decoder: Decoder | undefined;
  #changed = (): void => undefined;
  readonly #fromServer: Splitter;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#fromServer = new Splitter(
      wholeMessages((type, message) => this.#receive(type, message)),
      messageBytesMax,
    );
  }

  static async open({
    port,
    user,
    database,
  }: {
    port: number;
    user: string;
    database: string;
  }): Promise<DecodedStream> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    const stream = new DecodedStream(socket);
    socket.on('data', (chunk: Buffer) => stream.#fromResource(chunk));
    socket.on('error', () => stream.#changed());
    socket.on('close', () => stream.#closed());
    const body = Buffer.from(`\0\u0003\0\0user\0${user}\0database\0${database}\0\0`, 'latin1');
    const length = Buffer.alloc(4);
    length.writeInt32BE(body.length + 4);
    socket.write(Buffer.concat([length, body]));
    await stream.until(() => stream.received.some(({ type }) => type === 'Z'));
    stream.received.length = 0;
    let sequence = 0;
    stream.#decoder = createDecoder({
      sink: { append: (event) => (stream.events.push(event), sequence++) },
      clock: systemClock,
      messageBytesMax,
      greeting: new Uint8Array(0),
    });
    return stream;
  }

  send(...messages: Uint8Array[]): void {
    this.#carry(this.#decoder!.client(Buffer.concat(messages)));
  }

  /** Resolves when the condition holds; rejects after ten seconds. */
  async until(holds: () => boolean): Promise<void> {
    const deadline = Date.now() + 10_000;
    while (!holds()) {
      if (Date.now() > deadline) throw new Error(`nothing came; received ${this.types()}; ${JSON.stringify(this.end)}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1000);
        this.#changed = () => (clearTimeout(timer), resolve());
      });
    }
  }

  /** Waits for that many more ReadyForQuery, and gives the messages up to there. */
  async ready(count = 1): Promise<string> {
    const isReady = () => this.end !== null || this.received.filter(({ type }) => type === 'Z').length >= count;
    await this.until(isReady);
    const types = this.types();
    this.received.length = 0;
    return types;
  }

  types(): string {
    return this.received.map(({ type }) => type).join('');
  }

  /** First column of the rows received since the last `ready`, as text. */
  rows(): string[] {
    const rows = this.received.filter(({ type }) => type.charCodeAt(0) === backendType.dataRow);
    return rows.map(({ body }) => body.subarray(6, 6 + body.readInt32BE(2)).toString());
  }

  statements(verb: string): (StatementEvent & { outcome: OutcomeEvent | undefined; seq: number })[] {
    return this.events.flatMap((event, seq) =>
      event.kind === 'statement' && event.verb === verb ? [{ ...event, seq, outcome: this.outcome(seq) }] : [],
    );
  }

  outcome(of: number): OutcomeEvent | undefined {
    return this.events.find((event): event is OutcomeEvent => event.kind === 'outcome' && event.of === of);
  }

  /** The text that an execute entry leads to. */
  textOf(execute: StatementEvent): string {
    const bind = this.events[execute.of!] as StatementEvent;
    const parse = this.events[bind.of!] as StatementEvent;
    return Buffer.from(parse.text!).toString();
  }

  async close(): Promise<void> {
    if (this.#socket.destroyed) return;
    const gone = new Promise((resolve) => this.#socket.once('close', resolve));
    this.#socket.destroy();
    await gone;
  }

  #fromResource(chunk: Buffer): void {
    if (!this.#decoder) this.#fromServer.push(chunk);
    else for (const byte of chunk) this.#carry(this.#decoder.resource(Uint8Array.of(byte)));
    this.#changed();
  }

  #receive(type: number, message: Uint8Array): void {
    const received = { type: String.fromCharCode(type), body: Buffer.from(message.subarray(headerBytes)) };
    this.received.push(received);
    this.onReceived(received);
  }

  #closed(): void {
    if (this.#decoder) this.#carry(this.#decoder.resourceEnded());
    this.#changed();
  }

  #carry({ toResource, toClient, end }: Step): void {
    for (const bytes of toResource) {
      this.forwarded.push(Buffer.from(bytes));
      this.#socket.write(bytes);
    }
    for (const bytes of toClient) this.#fromServer.push(bytes);
    this.end ??= end;
  }
}
