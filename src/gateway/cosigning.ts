import { parseCheckpoint } from '../recording/checkpoint.ts';
import { consistencyProof } from '../recording/merkle.ts';
import { cosignedAt, formatNote, formatVerifierKey, parseSignature, type VerifierKey } from '../recording/note.ts';
import { agentWitnessKey } from '../recording/witness-key.ts';
import type { Log } from '../shared/log.ts';
import type { WitnessCheckpoint, WitnessCosigned, WitnessDeclined } from '../shared/witness-messages.ts';
import { readCosigned, writeCosigned, type CosignedCheckpoint } from '../store/cosignature-store.ts';
import type { TransparencyLog } from './log.ts';
import type { WitnessFeed } from './witness-feed.ts';

/** One agent's key, and how far it goes along with the log. */
export interface WitnessStanding {
  /** A verifier key (type 4). */
  key: string;
  /** Leaves under the last checkpoint that it cosigned. */
  cosigned: number;
  /** Why it cosigns no more; undefined while it does. */
  declined?: string;
}

interface CosigningParts {
  dataDir: string;
  log: TransparencyLog;
  operatorLog: Log;
  /** An agent declines to cosign: that is said in the log itself, for good. */
  onDeclined: (agent: string, declined: Pick<WitnessDeclined, 'verdict' | 'why'>) => void;
}

/**
 * Offers each checkpoint to the agents that are linked, and keeps what they cosigned. Nothing else waits for it: a cosignature that does
 * not come is missing from what is served and exported, and that is how it shows.
 */
export class Cosigning {
  readonly #parts: CosigningParts;
  /** Of each key the last checkpoint that it cosigned; by the end of its name. */
  readonly #cosigned: Map<string, CosignedCheckpoint>;
  readonly #attending = new Map<WitnessFeed, Attending>();
  readonly #declined = new Map<string, { key: VerifierKey; why: string }>();
  readonly #waiting = new Set<() => void>();

  private constructor(parts: CosigningParts, cosigned: Map<string, CosignedCheckpoint>) {
    this.#parts = parts;
    this.#cosigned = cosigned;
    parts.log.onPublished = (note, size) => {
      for (const attending of this.#attending.values()) this.#aside(attending, this.#offer(attending, note, size));
    };
  }

  static async open(parts: CosigningParts): Promise<Cosigning> {
    return new Cosigning(parts, await readCosigned(parts.dataDir));
  }

  /** An agent has linked; until its feed closes it is asked to cosign. */
  attend(feed: WitnessFeed, agent: string, publicKey: string): void {
    const key = agentWitnessKey(Buffer.from(publicKey, 'base64url'));
    const attending: Attending = { feed, agent, key, before: undefined, offered: undefined, again: false };
    this.#attending.set(feed, attending);
    this.#declined.delete(key.name);
    feed.showLog(this.#parts.log.verifierKey);
    feed.onOpen = (cosigned) => {
      attending.before = cosigned;
      this.#aside(attending, this.#offerNow(attending));
    };
    feed.onShown = () => this.#aside(attending, this.#offerNow(attending)); // an offer follows whatever is shown
    feed.onCosigned = (cosigned) => this.#aside(attending, this.#take(attending, cosigned));
    feed.onDeclined = (declined) => this.#wasDeclined(attending, declined);
    void feed.closed.then(() => {
      this.#attending.delete(feed);
      for (const wake of this.#waiting) wake();
    });
  }

  /** The last checkpoint, with the cosignatures that have come for it. */
  async checkpoint(): Promise<string | undefined> {
    const text = await this.#parts.log.checkpointNow;
    return text === undefined ? undefined : this.#withCosignatures(text);
  }

  /**
   * A checkpoint over at least `size` leaves for an export: the last one, unless an earlier one has that agent's cosignature and the last
   * one has not. Waits for it a moment, where the agent is linked.
   */
  async checkpointOver(size: number, agentKey: string | undefined, millisMax: number): Promise<string> {
    const name = agentKey === undefined ? undefined : agentWitnessKey(Buffer.from(agentKey, 'base64url')).name;
    const kept = () => (name === undefined ? undefined : this.#cosigned.get(fileOf(name)));
    const isAttending = [...this.#attending.values()].some(({ key }) => key.name === name);
    const deadline = Date.now() + millisMax;
    while (isAttending && (kept()?.checkpoint.size ?? 0) < size && Date.now() < deadline)
      await this.#news(deadline - Date.now());
    const found = kept();
    if (found && found.checkpoint.size >= size) return this.#withCosignatures(found.text);
    return (await this.checkpoint())!;
  }

  /** The verifier key of an agent that is linked and has cosigned. */
  keyOf(name: string): string | undefined {
    const found = [...this.#attending.values()].find(({ agent, before }) => agent === name && (before ?? 0) > 0);
    return found && formatVerifierKey(found.key);
  }

  /** Every witness that has ever cosigned here, or declined to. */
  get standings(): WitnessStanding[] {
    const known = new Map<string, WitnessStanding>();
    for (const { key } of this.#attending.values()) known.set(key.name, this.#standing(key));
    for (const { key } of this.#declined.values()) known.set(key.name, this.#standing(key));
    return [...known.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** A last checkpoint, cosigned by all that are linked, or the time is over. Never rejects. */
  async settle(millisMax: number): Promise<void> {
    const { log } = this.#parts;
    await log.checkpoint().catch(() => undefined); // sessions have ended for this already
    const deadline = Date.now() + millisMax;
    const isBehind = ({ before, key }: Attending): boolean =>
      before !== undefined && before < log.signedSize && !this.#declined.has(key.name);
    while (Date.now() < deadline && [...this.#attending.values()].some(isBehind))
      await this.#news(deadline - Date.now());
  }

  #standing(key: VerifierKey): WitnessStanding {
    const declined = this.#declined.get(key.name);
    const cosigned = this.#cosigned.get(fileOf(key.name))?.checkpoint.size ?? 0;
    return { key: formatVerifierKey(key), cosigned, ...(declined && { declined: declined.why }) };
  }

  #withCosignatures(text: string): string {
    const { note } = parseCheckpoint(text);
    for (const other of this.#cosigned.values()) {
      if (other.note.text !== note.text) continue;
      const known = new Set(note.signatures.map(({ name }) => name));
      note.signatures.push(...other.note.signatures.filter(({ name }) => !known.has(name)));
    }
    return formatNote(note);
  }

  /** Nobody waits for it, and what goes wrong with it is a cosignature that does not come. */
  #aside({ agent }: Attending, done: Promise<void>): void {
    done.catch((error: unknown) =>
      this.#parts.operatorLog.error({ agent, error: String(error) }, 'the agent cannot be asked to cosign'),
    );
  }

  async #offerNow(attending: Attending): Promise<void> {
    const note = await this.#parts.log.checkpointNow;
    if (note !== undefined) await this.#offer(attending, note, parseCheckpoint(note).checkpoint.size);
  }

  /** One at a time: the next one follows the answer. */
  async #offer(attending: Attending, note: string, size: number): Promise<void> {
    const { before, offered, feed } = attending;
    attending.again = offered !== undefined;
    if (before === undefined || offered !== undefined) return;
    attending.offered = { note, size };
    const proof = before < size ? await consistencyProof(before, size, this.#parts.log.store.readHash) : [];
    const offer: WitnessCheckpoint = {
      kind: 'checkpoint',
      note,
      before,
      proof: proof.map((hash) => Buffer.from(hash).toString('base64')),
      rollovers: await this.#parts.log.rollovers(),
    };
    await feed.offer(offer).catch(() => undefined); // the link is closing
  }

  async #take(attending: Attending, { signature }: WitnessCosigned): Promise<void> {
    const { offered, key, agent } = attending;
    if (!offered) return;
    const { note, checkpoint } = parseCheckpoint(offered.note);
    try {
      note.signatures.push(parseSignature(signature.replace(/\n$/, '')));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
    if (cosignedAt(note, key) === undefined) {
      this.#parts.operatorLog.error({ agent }, 'the agent’s cosignature does not hold; it is asked for no more');
      return;
    }
    const text = formatNote(note);
    this.#cosigned.set(fileOf(key.name), { text, checkpoint, note });
    await writeCosigned(this.#parts.dataDir, fileOf(key.name), text).catch((error: unknown) =>
      this.#parts.operatorLog.error({ agent, error: String(error) }, 'the agent’s cosignature cannot be kept'),
    );
    attending.before = offered.size;
    attending.offered = undefined;
    for (const wake of this.#waiting) wake();
    if (attending.again || this.#parts.log.signedSize > offered.size) await this.#offerNow(attending);
  }

  #wasDeclined({ agent, key }: Attending, { verdict, why }: WitnessDeclined): void {
    this.#declined.set(key.name, { key, why: `${verdict}: ${why}` });
    this.#parts.operatorLog.error({ agent, verdict, why }, 'ALARM: the agent does not cosign the log');
    this.#parts.onDeclined(agent, { verdict, why });
    for (const wake of this.#waiting) wake();
  }

  #news(millisMax: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, millisMax);
      this.#waiting.add(wake);
    });
  }
}

interface Attending {
  feed: WitnessFeed;
  agent: string;
  key: VerifierKey;
  /** Leaves that it has cosigned; undefined for an agent that does not. */
  before: number | undefined;
  /** What it was asked to cosign, and has not answered. */
  offered: { note: string; size: number } | undefined;
  /** There is something to offer when it has answered. */
  again: boolean;
}

const fileOf = (keyName: string): string => keyName.slice(keyName.indexOf('/') + 1);
