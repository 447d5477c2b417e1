import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Event, StatementEvent } from '../../src/protocol/event.ts';
import type { Decoder, Step } from '../../src/protocol/protocol.ts';
import { createDecoder } from '../../src/protocol/postgres/decoder.ts';
import { postgres } from '../../src/protocol/postgres/index.ts';
import { backendType } from '../../src/protocol/postgres/messages.ts';
import { Splitter, wholeMessages } from '../../src/protocol/postgres/splitter.ts';
import { systemClock } from '../../src/shared/clock.ts';

const messageBytesMax = 64 * 1024 * 1024;
/** Code of SSLRequest and GSSENCRequest, which both get N. */
const wantsEncryption = new Set([80877103, 80877104]);

/**
 * A port in front of a real PostgreSQL (trust authentication) with a decoder for each connection and no gateway: real programs connect
 * to it, `streams` has what was recorded of each.
 */
export class DecodingPump {
  readonly streams: Event[][] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(target: number) {
    this.#server = createServer((client) => {
      const resource = connect({ host: '127.0.0.1', port: target, noDelay: true });
      for (const socket of [client, resource]) {
        this.#sockets.add(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => (this.#sockets.delete(socket), client.destroy(), resource.destroy()));
      }
      this.#carry(client, resource);
    });
  }

  static async open(target: number): Promise<DecodingPump> {
    await postgres.load?.();
    const pump = new DecodingPump(target);
    await new Promise<void>((resolve) => pump.#server.listen(0, '127.0.0.1', resolve));
    return pump;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Statements that ran, as the record shows them: text and parameters, Queries and Executes. */
  ran(): string[] {
    return this.streams.flatMap((events) =>
      events.flatMap((event) => (event.kind === 'statement' && event.expectsOutcome ? [shown(events, event)] : [])),
    );
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #carry(client: Socket, resource: Socket): void {
    let decoder: Decoder | undefined;
    const write = ({ toResource, toClient, end }: Step): void => {
      for (const bytes of toResource) resource.write(bytes);
      for (const bytes of toClient) client.write(bytes);
      if (end) client.end();
    };
    const login: Buffer[] = [];
    const untilReady = new Splitter(
      wholeMessages((type, message) => {
        if (type === backendType.parameterStatus) login.push(Buffer.from(message));
        if (type === backendType.readyForQuery) decoder = this.#decode(Buffer.concat(login));
      }),
      messageBytesMax,
    );
    client.on('data', (chunk: Buffer) => {
      if (decoder) return write(decoder.client(chunk));
      if (chunk.length === 8 && wantsEncryption.has(chunk.readInt32BE(4))) client.write('N');
      else resource.write(chunk);
    });
    resource.on('data', (chunk: Buffer) => {
      if (decoder) return write(decoder.resource(chunk));
      untilReady.push(chunk);
      client.write(chunk);
    });
    resource.on('end', () => decoder && write(decoder.resourceEnded()));
  }

  #decode(greeting: Uint8Array): Decoder {
    const events: Event[] = [];
    this.streams.push(events);
    const append = (event: Event): number => events.push(structuredClone(event)) - 1;
    return createDecoder({ sink: { append }, clock: systemClock, messageBytesMax, greeting });
  }
}

const statementAt = (events: Event[], of: number | undefined): StatementEvent | undefined =>
  events[of ?? -1] as StatementEvent | undefined;

/** As the server's log has it: the text, then its parameters. */
function shown(events: Event[], event: StatementEvent): string {
  if (event.text) return Buffer.from(event.text).toString();
  const bind = statementAt(events, event.of);
  const text = Buffer.from(statementAt(events, bind?.of)?.text ?? []).toString();
  const parameters = (bind?.parameters ?? []).map(({ value }, index) => {
    const quoted = value && `'${Buffer.from(value).toString().replaceAll("'", "''")}'`;
    return `$${index + 1} = ${quoted ?? 'NULL'}`;
  });
  return parameters.length > 0 ? `${text} ⟵ ${parameters.join(', ')}` : text;
}
