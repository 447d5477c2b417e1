import { formatSessionId } from '../recording/session-id.ts';
import { newestCheckpoint, readReceipt, type Receipt } from '../recording/receipts.ts';
import type { LogKey } from '../recording/rollover.ts';
import { UserError } from '../shared/errors.ts';
import { limits } from '../shared/limits.ts';
import { pause } from '../shared/pause.ts';
import { receiptsOf } from './api/sessions.ts';
import type { ConnectionState } from './connected-resource.ts';
import { pinnedLogKeys, trustedLogKeys } from './log-key.ts';
import type { OpenedGateway } from './open-gateway.ts';
import {
  awaitedSessions,
  awaitReceipts,
  keepReceipt,
  keptReceipt,
  readReceiptFiles,
  type ReceiptKind,
} from './receipt-store.ts';

export interface ReceiptsParts {
  gateway: OpenedGateway;
  /** A line for the person: a receipt that does not hold is a reason to ask who runs the gateway. */
  say: (line: string) => void;
}

/**
 * Fetches and keeps the receipts of sessions: of each beginning at the checkpoint after it, of each end when it has come. Nothing waits
 * for them, and what does not come (the gateway was killed) is asked for with the next session, also of another process.
 */
export class SessionReceipts {
  readonly #parts: ReceiptsParts;
  readonly #known = new Set<string>();
  #awaiting: Promise<unknown> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #isSettling = false;
  readonly #said = new Set<string>();

  constructor(parts: ReceiptsParts) {
    this.#parts = parts;
  }

  /** Hears of each state of a connected resource. */
  readonly onState = (state: ConnectionState): void => {
    if (state.state !== 'ready' || this.#known.has(state.session)) return;
    this.#known.add(state.session);
    this.#awaiting = this.#awaiting.then(() => this.#await(state.session)).catch(ignored);
    this.#fetchIn(limits.checkpointMillis);
  };

  /** Again, ever later, until there is a receipt of each beginning: a session may run for days, and its end may never come. */
  #fetchIn(millis: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      void this.#fetchAll()
        .catch(ignored)
        .then(async () => (await this.#hasEachBeginning()) || this.#fetchIn(Math.min(millis * 2, retryMillisMax)))
        .catch(ignored);
    }, millis);
    this.#timer.unref();
  }

  async #hasEachBeginning(): Promise<boolean> {
    if (this.#isSettling) return true;
    const awaited = await awaitedSessions(this.#parts.gateway.url, limits.receiptsAtOnceMax);
    const mine = awaited.filter((session) => this.#known.has(session));
    const kept = await Promise.all(mine.map((session) => keptReceipt(session, 'open')));
    return !kept.includes(undefined);
  }

  /** At the end, when the sessions are sealed. Takes no longer than the bound. */
  async settle(): Promise<void> {
    this.#isSettling = true;
    clearTimeout(this.#timer);
    if (this.#known.size === 0) return;
    const late = AbortSignal.timeout(limits.receiptsMillisMax);
    const isLate = new Promise((resolve) => late.addEventListener('abort', resolve, { once: true }));
    await Promise.race([this.#fetchUntilEnded(late).catch(ignored), isLate]);
  }

  /** The gateway says goodbye as soon as the seal is durable; its catalog may hear of the end a moment later. */
  async #fetchUntilEnded(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#fetchAll();
      const awaited = await awaitedSessions(this.#parts.gateway.url, limits.receiptsAtOnceMax);
      if (!awaited.some((session) => this.#known.has(session))) return;
      await pause(retryMillis, signal);
    }
  }

  /** Where no key was pinned (HOOP_TOKEN alone) no receipt could be told from a forged one. */
  async #await(session: string): Promise<void> {
    const { url } = this.#parts.gateway;
    if ((await pinnedLogKeys(url)).length > 0) await awaitReceipts(session, url);
  }

  async #fetchAll(): Promise<void> {
    await this.#awaiting;
    const { url, send } = this.#parts.gateway;
    const trusted = await trustedLogKeys(url, send);
    if (!trusted) return;
    const newest = newestCheckpoint(await readReceiptFiles(), trusted)?.checkpoint.size ?? 0;
    for (const session of await awaitedSessions(url, limits.receiptsAtOnceMax))
      await this.#fetch(session, { keys: trusted, newest });
  }

  /** `newest`: leaves that this machine has seen the log to have before it asked. */
  async #fetch(session: string, { keys, newest }: { keys: readonly LogKey[]; newest: number }): Promise<void> {
    const given = await receiptsOf(this.#parts.gateway.api, session).catch((error: unknown) => {
      if (!(error instanceof UserError) || error.code !== 'HOOP_NOT_FOUND') throw error;
      return undefined;
    });
    if (!given) return this.#lost(session);
    for (const kind of ['open', 'end'] as const) {
      const proof = given[kind];
      if (proof === null || (await keptReceipt(session, kind)) !== undefined) continue;
      const receipt = readReceipt(proof, keys);
      if (receipt && receipt.signed.checkpoint.size < newest) this.#shrunk();
      if (receipt && isOf(receipt, session, kind)) await keepReceipt(session, kind, proof);
      else this.#say(`The gateway’s receipt of session ${session} does not hold: ask who runs the gateway.`);
    }
  }

  /** Once: what is asked for again has the same answer. */
  #say(line: string): void {
    if (this.#said.has(line)) return;
    this.#said.add(line);
    this.#parts.say(line);
  }

  /** Somebody has put back an old copy, or shows this machine another log. */
  #shrunk(): void {
    this.#say(
      'The gateway’s log is shorter than a receipt that this machine has: ask who runs the gateway, and verify its data directory.',
    );
  }

  async #lost(session: string): Promise<void> {
    if ((await keptReceipt(session, 'open')) === undefined) return;
    this.#say(
      `The gateway does not know session ${session} any more, of which this machine has a receipt: run: hoop verify ${session}`,
    );
  }
}

const endKinds: ReadonlySet<string> = new Set(['close', 'interrupted']);

const isOf = ({ leaf }: Receipt, session: string, kind: ReceiptKind): boolean =>
  formatSessionId(leaf.subject) === session && (kind === 'open' ? leaf.kind === 'open' : endKinds.has(leaf.kind));

const retryMillis = 200;
const retryMillisMax = 60_000;

/** The next session asks again. */
const ignored = (): void => undefined;
