import { createServer, type Server } from 'node:http';
import { entryHash } from '../../src/recording/entry-codec.ts';
import { SessionChain } from '../../src/recording/chain.ts';
import type { EntryBody } from '../../src/recording/entry.ts';
import { formatSessionId } from '../../src/recording/session-id.ts';
import { StreamReset, type Duplex } from '../../src/shared/duplex.ts';
import {
  controlRefusedSchema,
  linkHelloSchema,
  linkProofSchema,
  resourceReadySchema,
} from '../../src/shared/handshake.ts';
import { handshakeVersion } from '../../src/shared/version.ts';
import { readControl, writeControl } from '../../src/tunnel/control.ts';
import { withSequence } from '../../src/tunnel/sequence-frame.ts';
import { encodeWitnessEntry } from '../../src/tunnel/witness-frame.ts';
import { acceptWebSocket, type Connection } from '../../src/tunnel/websocket.ts';
import { listen } from './tunnel.ts';

/** A gateway in the hands of somebody who has its machine: it welcomes an agent and shows it whatever the test wants. */
export class HostileGateway implements AsyncDisposable {
  readonly #http: Server = createServer();
  readonly #connection: Promise<Connection>;
  url = '';

  constructor() {
    this.#connection = new Promise((resolve, reject) => {
      this.#http.once('upgrade', (request, socket, head) => {
        acceptWebSocket(request, socket, head).then(resolve, reject);
      });
    });
  }

  async listen(): Promise<this> {
    this.url = (await listen(this.#http)).replace(/^ws/, 'http');
    return this;
  }

  /** Resolves when an agent has linked. */
  async welcome(version: { major: number; minor: number } = handshakeVersion): Promise<void> {
    const { rest } = await readControl(await (await this.#connection).accept(), linkHelloSchema);
    await writeControl(rest, { kind: 'challenge', nonce: 'n' });
    const proof = await readControl(rest, linkProofSchema);
    await writeControl(proof.rest, { kind: 'welcome', version, agent: 'db-agent' });
  }

  async witnessStream(): Promise<Duplex> {
    const stream = (await this.#connection).open();
    await writeControl(stream, { kind: 'witness' });
    return stream;
  }

  /** A connection to the agent's resource; the answer, and the stream behind it. */
  async openResource(request: object) {
    const stream = (await this.#connection).open();
    await writeControl(stream, { kind: 'resource', resource: 'orders-db', label: 'hoop', ...request });
    return readControl(stream, resourceReadySchema.or(controlRefusedSchema));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    (await this.#connection).close('test over');
    await new Promise((resolve) => this.#http.close(resolve));
  }
}

/** Entries as a gateway would make them, to be shown whole, changed, or not at all. */
export class ShownSession {
  readonly idBytes: Uint8Array;
  readonly id: string;
  readonly #chain: SessionChain;

  constructor(idBytes: Uint8Array) {
    this.idBytes = idBytes;
    this.id = formatSessionId(idBytes);
    this.#chain = new SessionChain(idBytes);
  }

  entry(body: EntryBody): Buffer {
    const entry = Buffer.from(this.#chain.next(0, body, 1, new Uint8Array(16)));
    this.#chain.accept(entry);
    return entry;
  }

  message(entry: Uint8Array): Buffer {
    return encodeWitnessEntry(this.idBytes, entry);
  }
}

export const hashOf = (entry: Uint8Array): string => entryHash(entry).toString('hex');

/** Writes bytes that claim to be recorded up to an entry. */
export const claiming = (stream: Duplex, seq: number): Duplex =>
  withSequence(stream, { shownSeq: seq, show: () => undefined });

/** Why the stream ended, or undefined where bytes came. */
export const resetReason = (stream: Duplex): Promise<string | undefined> =>
  stream.read().then(
    () => undefined,
    (error: unknown) => (error instanceof StreamReset ? error.message : String(error)),
  );
