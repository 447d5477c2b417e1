import { parseCheckpoint, type Checkpoint } from '../recording/checkpoint.ts';
import { consistencyHolds, emptyRoot } from '../recording/merkle.ts';
import { formatSignature, parseVerifierKey } from '../recording/note.ts';
import { followRollovers, isSignedInTime } from '../recording/rollover.ts';
import { limits } from '../shared/limits.ts';
import type { Log } from '../shared/log.ts';
import type { WitnessCheckpoint, WitnessCosigned, WitnessDeclined } from '../shared/witness-messages.ts';
import { readWitnessedLog, writeWitnessedLog, type WitnessedLogState } from '../store/witness-log.ts';
import type { AgentKey } from './key.ts';

/** Why a checkpoint is not cosigned. */
class Declined extends Error {
  override readonly name = 'Declined';
  readonly verdict: WitnessDeclined['verdict'];

  constructor(verdict: WitnessDeclined['verdict'], why: string) {
    super(why);
    this.verdict = verdict;
  }
}

/**
 * Cosigns the checkpoints of one gateway's log: each is signed by the key that was pinned, and begins with all that was cosigned before.
 * What was cosigned is remembered, durably, before anybody gets the cosignature: a log that is rolled back or forked gets no other one.
 */
export class Cosigner {
  readonly #stateDir: string;
  readonly #key: AgentKey;
  readonly #log: Log;
  #state: WitnessedLogState | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  /** When entries came first since the last offer. */
  #sinceMillis: number | undefined;
  #isSaid = false;

  private constructor(stateDir: string, parts: { key: AgentKey; log: Log; state: WitnessedLogState | undefined }) {
    this.#stateDir = stateDir;
    this.#key = parts.key;
    this.#log = parts.log;
    this.#state = parts.state;
  }

  /** Throws HOOP_CONFIG for a memory that cannot be read: going on without it would forget. */
  static async open(stateDir: string, key: AgentKey, log: Log): Promise<Cosigner> {
    return new Cosigner(stateDir, { key, log, state: await readWitnessedLog(stateDir) });
  }

  /** Leaves under the last checkpoint that was cosigned. */
  get size(): number {
    return this.#seen?.size ?? 0;
  }

  /** The log's key as the gateway shows it: pinned the first time. Another one later has to be signed by it. */
  pin(shown: string): Promise<void> {
    return this.#next(async () => {
      if (this.#state || !parseVerifierKey(shown)) return;
      await this.#remember({ key: shown, checkpoint: null });
      this.#log.info({ key: shown }, 'the key of the gateway’s log is pinned');
    });
  }

  /** A new link: nothing was offered on it yet. */
  linked(): void {
    this.#sinceMillis = undefined;
    this.#isSaid = false;
  }

  /** Entries came, at that monotonic time: the log that they go into has to be offered before long. */
  sawEntries(nowMillis: number): void {
    this.#sinceMillis ??= nowMillis;
    if (this.#isSaid || nowMillis - this.#sinceMillis < limits.uncosignedMillisMax) return;
    this.#isSaid = true;
    this.#log.error(
      { cosigned: this.size },
      'ALARM: the gateway shows entries and offers no checkpoint of its log to cosign',
    );
  }

  /** One after the other. Rejects only where the memory cannot be written: then nothing is signed. */
  async answer(offer: WitnessCheckpoint): Promise<WitnessCosigned | WitnessDeclined> {
    this.#sinceMillis = undefined;
    if (this.#waiting >= waitingMax) throw new Error('it asks for more cosignatures than can be given');
    return this.#next(async () => {
      try {
        return { kind: 'cosigned', signature: await this.#cosign(offer) };
      } catch (error) {
        if (!(error instanceof Declined)) throw error;
        const { verdict, message: why } = error;
        this.#isSaid = true; // no more is offered on this link, and the reason is said here
        this.#log.error(
          { verdict, why },
          'ALARM: the gateway’s log is not the one that was witnessed; nothing more of it is cosigned',
        );
        return { kind: 'declined', verdict, why };
      }
    });
  }

  async #cosign({ note: text, before, proof, rollovers = [] }: WitnessCheckpoint): Promise<string> {
    const { checkpoint, note } = this.#signed(text, rollovers);
    this.#expectGrown(
      checkpoint,
      before,
      proof.map((hash) => Buffer.from(hash, 'base64')),
    );
    const isNews = checkpoint.size !== this.#seen?.size;
    if (isNews) await this.#remember({ key: this.#state!.key, checkpoint: text });
    return formatSignature(this.#key.cosign(note.text, Math.floor(Date.now() / 1000)));
  }

  /** Signed by the key that was pinned, or by one that it has said follows. */
  #signed(text: string, rollovers: readonly string[]): ReturnType<typeof parseCheckpoint> {
    const key = parseVerifierKey(this.#state?.key ?? '');
    const parsed = parsedOrUndefined(text);
    if (!key) throw new Declined('UNPINNED', 'the gateway has not shown the key of its log');
    if (!parsed) throw new Declined('UNPINNED', 'it is no checkpoint');
    if (!isSignedInTime(parsed, followRollovers(key, rollovers).keys))
      throw new Declined('UNPINNED', `its checkpoint is not signed by ${key.name}, the key that was pinned`);
    return parsed;
  }

  #expectGrown({ size, root }: Checkpoint, before: number, proof: Buffer[]): void {
    const seen = this.#seen ?? { size: 0, root: emptyRoot };
    if (size < seen.size) throw new Declined('LOG_ROLLBACK', `it has ${size} leaves, and ${seen.size} were cosigned`);
    const isGrown = before === seen.size && consistencyHolds({ before, size, proof, rootBefore: seen.root, root });
    if (!isGrown) throw new Declined('FORK', `it does not begin with the ${seen.size} leaves that were cosigned`);
  }

  /** Known when it is durable, not before: what is known already is signed without being written again. */
  async #remember(state: WitnessedLogState): Promise<void> {
    await writeWitnessedLog(this.#stateDir, state);
    this.#state = state;
  }

  get #seen(): Checkpoint | undefined {
    const text = this.#state?.checkpoint;
    return text ? parsedOrUndefined(text)?.checkpoint : undefined;
  }

  #next<T>(act: () => Promise<T>): Promise<T> {
    this.#waiting++;
    const done = this.#last.then(act).finally(() => this.#waiting--);
    this.#last = done.catch(() => undefined);
    return done;
  }
}

/** A gateway has one under way. */
const waitingMax = 8;

function parsedOrUndefined(text: string): ReturnType<typeof parseCheckpoint> | undefined {
  try {
    return parseCheckpoint(text);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
