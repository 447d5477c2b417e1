import type { PostgresServer } from '../../src/demo/postgres.ts';
import { decodeEvents } from '../../src/recording/entry-codec.ts';
import type { EntryBody } from '../../src/recording/entry.ts';
import type { Statement } from '../../src/shared/api.ts';
import { Archive } from '../../src/store/archive.ts';
import type { SignedIn } from './identity-gateway.ts';
import { RawClient, type Login } from './raw-client.ts';
import { executed } from './server-log.ts';
import { startStack, type Connected, type Stack } from './stack.ts';

/** One session in which a test talks to the local port byte by byte, and then reads what the record shows. */
export interface RecordedSession {
  local: Connected;
  /** A connection on which nothing was said yet. */
  dial(): Promise<RawClient>;
  /** A connection that is logged in. */
  open(login?: Partial<Login>): Promise<RawClient>;
  /** Ends the session; what its record shows. */
  record(): Promise<Recorded>;
}

export interface Recorded {
  /** As `hoop replay --json` gives them. */
  statements: Statement[];
  /** Every entry, as it was hashed. */
  entries: EntryBody[];
  /** Why hoop said no, in order. */
  refusals: string[];
  /** Settings that the record knows, in order. */
  states: Record<string, string>[];
}

/** A gateway with all its roles before a real server that logs what it executes. */
export class RecordedGateway {
  readonly #server: PostgresServer;
  readonly #stack: Stack;
  readonly #user: SignedIn;

  private constructor(server: PostgresServer, stack: Stack, user: SignedIn) {
    this.#server = server;
    this.#stack = stack;
    this.#user = user;
  }

  /** The server is the gateway's from now on: it ends with it. */
  static async before(server: PostgresServer): Promise<RecordedGateway> {
    const stack = await startStack({ postgres: server });
    await stack.addUser('ada');
    return new RecordedGateway(server, stack, await stack.signIn('ada'));
  }

  async session(): Promise<RecordedSession> {
    const local = await this.#stack.connect(this.#user);
    const opened: RawClient[] = [];
    const dial = async () => {
      const client = await RawClient.dial(local.port);
      opened.push(client);
      return client;
    };
    return {
      local,
      dial,
      open: async (login = {}) => {
        const client = await dial();
        await client.logIn({ ...local, ...login });
        return client;
      },
      record: async () => {
        for (const client of opened) await client.close();
        const { session } = local;
        await local.idle();
        await local.close();
        return this.#record(session);
      },
    };
  }

  /** What the server's own log says that it began to execute for a program of this name. */
  executed = (from: string): string[] => executed(this.#server.logFile!, from);

  async #record(session: string): Promise<Recorded> {
    const statements = await this.#stack.statements(this.#user, session);
    const archive = new Archive(this.#stack.dataDir);
    const entries: EntryBody[] = [];
    const recording = await archive.find(session);
    if (!recording) throw new Error(`the session ${session} has no sealed recording`);
    for await (const bytes of archive.read(recording)) entries.push(...decodeEvents(bytes).map(({ body }) => body));
    return {
      statements,
      entries,
      refusals: entries.flatMap((entry) => (entry.kind === 'refusal' ? [entry.reason] : [])),
      states: entries.flatMap((entry) => (entry.kind === 'state' ? [{ [entry.name]: entry.value }] : [])),
    };
  }

  async close(): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
    await this.#server.stop();
  }
}
