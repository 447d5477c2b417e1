import { say } from '../../support/frontend-messages.ts';
import { RawClient, type Login } from '../../support/raw-client.ts';
import { Chance } from './chance.ts';
import type { Cut, Script } from './script.ts';
import { names, portals } from './texts.ts';

/** Begins a script, in the log and in the record. */
export const beginning = (script: string): string => `select 'script ${script} begins'`;
/** The last that a stream says, so that a reader of the log knows that nothing is to come. */
export const farewell = "select 'nothing follows'";

/** Undoes what a script may have left: an open transaction, names, settings. */
const tidying = [
  say.copyFail('no'),
  say.sync(),
  say.query('rollback'),
  ...names.map((name) => say.closeStatement(name)),
  ...portals.map((name) => say.closePortal(name)),
  say.sync(),
  say.query('discard all'),
];

/** One connection through the gateway, on which scripts are played one after the other. */
export class Player {
  readonly #login: Login;
  #client: RawClient | undefined;
  /** How often a connection ended: by its client, by the gateway, or because the server crashed. */
  ended = 0;

  constructor(login: Login) {
    this.#login = login;
  }

  /** False if the connection had ended since the last script (a server that crashed ends them all): nothing was played. */
  async play(script: Script, name: string): Promise<boolean> {
    const client = (this.#client ??= await opened(this.#login));
    if (!(await rowOf(client, say.query(beginning(name))))) return this.#lost();
    await followed(client, script);
    if (script.hangsUp) await client.close();
    await this.#tidy(client);
    return true;
  }

  /** The gateway may end a stream of which nobody can tell what is skipped; the record must say so. */
  async #tidy(client: RawClient): Promise<void> {
    if (!client.isClosed) client.send(...tidying);
    if (!(await rowOf(client, say.query(farewell)))) this.#lost();
  }

  #lost(): false {
    this.ended++;
    this.#client = undefined;
    return false;
  }

  async close(): Promise<void> {
    this.#client?.send(say.terminate());
    await this.#client?.close();
  }
}

/** Does what the script says, as far as the connection lives. */
async function followed(client: RawClient, { seed, cut, steps }: Script): Promise<void> {
  const chance = new Chance(seed);
  let readies = 0;
  let answered = 0;
  for (const step of steps) {
    if (client.isClosed) return;
    if ('send' in step) {
      answered = client.received.length; // answers may come while the question is still being sent
      await cutUp(client, Buffer.concat(step.send.map(({ bytes }) => bytes)), cut, chance);
    } else if ('ready' in step) {
      await untilReady(client, readies + step.ready);
      readies = count(client, 'Z');
    } else {
      const isTold = () => client.received.slice(answered).some(({ type }) => type === 'G' || type === 'E');
      await client.until(() => client.isClosed || isTold());
    }
  }
}

/** A server that restarts after a crash takes a moment. */
async function opened(login: Login): Promise<RawClient> {
  for (const deadline = Date.now() + 20_000; ;) {
    try {
      return await RawClient.open(login);
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/**
 * A COPY that a script ran by chance, binding its text again, asks for data that nobody has, and the server ignores the Syncs that
 * were sent ahead: it is given up, and nobody counts any more.
 */
async function untilReady(client: RawClient, readies: number): Promise<void> {
  let wanted = readies;
  const isReady = (): boolean => client.isClosed || count(client, 'Z') >= wanted;
  while (!isReady()) {
    const seen = client.received.length;
    const giveUp = (): void => {
      if (client.received.length > seen || client.received.at(-1)?.type !== 'G') return;
      wanted = count(client, 'Z') + 1;
      client.send(say.copyFail('no'), say.sync());
    };
    const patience = setTimeout(giveUp, 300);
    await client.until(() => isReady() || client.received.length > seen);
    clearTimeout(patience);
  }
}

const count = ({ received }: RawClient, wanted: string): number =>
  received.filter(({ type }) => type === wanted).length;

/** Asks for a row that is nobody else's; false if the connection ends first. Forgets what came before. */
async function rowOf(client: RawClient, query: Uint8Array): Promise<boolean> {
  if (!client.isClosed) client.send(query);
  const wanted = /'(.*)'/.exec(Buffer.from(query).toString())![1]!;
  const at = (): number => client.received.findIndex(({ type, body }) => type === 'D' && body.includes(wanted));
  await client.until(
    () => client.isClosed || (at() >= 0 && client.received.slice(at()).some(({ type }) => type === 'Z')),
  );
  const came = at() >= 0;
  client.received.length = 0;
  return came;
}

/** As a network might hand the bytes on. */
async function cutUp(client: RawClient, bytes: Buffer, cut: Cut, chance: Chance): Promise<void> {
  if (cut === 'whole') return client.send(bytes);
  for (let start = 0; start < bytes.length && !client.isClosed;) {
    const size = cut === 'byte by byte' && start < 3000 ? 1 : chance.between(1, chance.is(0.5) ? 6 : 4000);
    client.send(bytes.subarray(start, start + size));
    start += size;
    await new Promise((resolve) => setImmediate(resolve)); // so that each piece is a write of its own
  }
}
