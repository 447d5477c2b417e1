import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { encodeCommand } from '../../src/protocol/redis/messages.ts';
import { until } from './until.ts';

type Words = (string | Uint8Array)[];

/** A raw connection to a Redis, or to hoop before one: what is sent is what is written here, to the byte. */
export class RedisWireClient {
  received = '';
  isClosed = false;
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1').on('data', (text: string) => (this.received += text));
    socket.on('error', () => undefined);
    socket.once('close', () => (this.isClosed = true));
  }

  static async open(port: number): Promise<RedisWireClient> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    await once(socket, 'connect');
    return new RedisWireClient(socket);
  }

  /** Logged in, nothing received. */
  static async login(port: number, login: Words): Promise<RedisWireClient> {
    const client = await RedisWireClient.open(port);
    client.send(login);
    await client.until(/\r\n/);
    if (!/^[+%*]/.test(client.received)) throw new Error(client.received);
    await client.ask(['ECHO', 'logged in'], /logged in\r\n$/);
    client.received = '';
    return client;
  }

  send(...commands: Words[]): void {
    this.raw(Buffer.concat(commands.map(encodeCommand)));
  }

  raw(bytes: Uint8Array | string): void {
    this.#socket.write(bytes);
  }

  async until(pattern: RegExp): Promise<string> {
    await until(() => pattern.test(this.received) || this.isClosed, { what: () => `${pattern} in ${this.received}` });
    return this.received;
  }

  /** Everything that is received up to and with the pattern. */
  async ask(words: Words, pattern: RegExp): Promise<string> {
    this.received = '';
    this.send(words);
    return this.until(pattern);
  }

  closed(): Promise<void> {
    return until(() => this.isClosed, { what: () => `the end of the connection; received ${this.received}` });
  }

  close(): void {
    this.#socket.destroy();
  }
}
