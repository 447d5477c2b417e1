import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import {
  backendType,
  bytesOf,
  encodeMessage,
  frontendType,
  headerBytes,
  int32,
} from '../../src/protocol/postgres/messages.ts';
import { startClient } from '../../src/protocol/postgres/scram.ts';
import { Splitter, wholeMessages } from '../../src/protocol/postgres/splitter.ts';
import { protocol30 } from '../../src/protocol/postgres/startup.ts';
import type { Received } from './decoded-stream.ts';

export interface Login {
  port: number;
  user: string;
  password: string;
  database: string;
  /** Further start-up parameters. */
  parameters?: Record<string, string>;
  version?: number;
}

/** A client of PostgreSQL that sends what a test says, byte for byte: on the local port of a session, or on a server. */
export class RawClient {
  readonly received: Received[] = [];
  isClosed = false;
  readonly socket: Socket;
  #raw: Buffer[] | undefined;
  #changed = (): void => undefined;
  readonly #splitter = new Splitter(
    wholeMessages((type, message) => {
      const body = Buffer.from(message.subarray(headerBytes));
      this.received.push({ type: String.fromCharCode(type), body });
    }),
    1 << 28,
  );

  private constructor(port: number) {
    this.socket = connect({ host: '127.0.0.1', port, noDelay: true });
    this.socket.on('data', (chunk: Buffer) => {
      if (this.#raw) this.#raw.push(Buffer.from(chunk));
      else this.#splitter.push(chunk);
      this.#changed();
    });
    this.socket.on('connect', () => this.#changed());
    this.socket.on('error', () => this.#changed());
    this.socket.on('close', () => {
      this.isClosed = true;
      this.#changed();
    });
  }

  /** A connection on which nothing was said yet. */
  static async dial(port: number): Promise<RawClient> {
    const client = new RawClient(port);
    await client.until(() => !client.socket.connecting);
    return client;
  }

  /** Logged in and ready. Throws what the server says against it. */
  static async open(login: Login): Promise<RawClient> {
    const client = await RawClient.dial(login.port);
    await client.logIn(login);
    return client;
  }

  async logIn({ user, password, database, parameters = {}, version = protocol30 }: Login): Promise<void> {
    this.send(startupPacket([['user', user], ['database', database], ...Object.entries(parameters)], version));
    const exchange = startClient({ password, nonce: randomBytes(18).toString('base64') });
    const first = bytesOf(exchange.clientFirst);
    const answers: Record<number, (body: Buffer) => Promise<Uint8Array[] | undefined>> = {
      10: async () => [bytesOf('SCRAM-SHA-256\0'), int32(first.length), first],
      11: async (body) => [bytesOf(await exchange.proof(body.subarray(4).toString()))],
      12: async (body) => (exchange.checkServer(body.subarray(4).toString()), undefined),
      0: async () => undefined,
    };
    for (let read = 0; ; read++) {
      await this.until(() => this.received.length > read || this.isClosed);
      const { type, body } = this.received[read] ?? { type: 'closed', body: Buffer.alloc(0) };
      if (type === 'E' || type === 'closed') throw new Error(`the login failed: ${body.toString()}`);
      if (type === 'Z') break;
      const answer = type === 'R' ? await answers[body.readInt32BE(0)]!(body) : undefined;
      if (answer) this.send(encodeMessage(frontendType.password, ...answer));
    }
  }

  /** Takes what comes next as bytes, not as messages: the answer to an encryption request. */
  async byte(): Promise<string> {
    await this.until(() => this.#raw !== undefined && this.#raw.length > 0);
    const bytes = Buffer.concat(this.#raw!.splice(0));
    this.#raw = undefined;
    return bytes.toString('latin1');
  }

  expectBytes(): void {
    this.#raw = [];
  }

  send(...messages: Uint8Array[]): void {
    this.socket.write(Buffer.concat(messages));
  }

  /** Resolves when the condition holds; rejects after twenty seconds. */
  async until(holds: () => boolean): Promise<void> {
    const deadline = Date.now() + 20_000;
    while (!holds()) {
      if (Date.now() > deadline) throw new Error(`nothing came; received ${this.types()}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1000);
        this.#changed = () => (clearTimeout(timer), resolve());
      });
    }
  }

  /** Waits for that many ReadyForQuery, or the end; the types up to there. */
  async ready(count = 1): Promise<string> {
    await this.until(() => this.isClosed || this.received.filter(({ type }) => type === 'Z').length >= count);
    const types = this.types();
    this.received.length = 0;
    return types;
  }

  types(): string {
    return this.received.map(({ type }) => type).join('');
  }

  /** First column of the rows received, as text; NULL as null. */
  rows(): (string | null)[] {
    return this.received
      .filter(({ type }) => type.charCodeAt(0) === backendType.dataRow)
      .map(({ body }) => {
        const length = body.readInt32BE(2);
        return length < 0 ? null : body.subarray(6, 6 + length).toString();
      });
  }

  async close(): Promise<void> {
    if (!this.isClosed) this.socket.destroy();
    await this.until(() => this.isClosed);
  }
}

/** The names may repeat, and may be anything. */
export function startupPacket(pairs: [string, string][], version = protocol30): Buffer {
  const body = Buffer.from(`${pairs.flat().join('\0')}\0\0`);
  return Buffer.concat([int32(body.length + 8), int32(version), body]);
}
