import { join } from 'node:path';
import type { Session } from '../shared/api.ts';
import type { Clock } from '../shared/clock.ts';
import { readActs } from '../store/act-store.ts';
import type { Catalog } from '../store/catalog.ts';
import type { Recorder } from './recorder.ts';
import type { TransparencyLog } from './log.ts';
import type { Refused } from './witness-feed.ts';

export interface WitnessRefusalsParts {
  dataDir: string;
  recorder: Pick<Recorder, 'entriesForWitness'>;
  catalog: Catalog;
  log: TransparencyLog;
  clock: Clock;
}

/** What an agent says against the record of a session that has ended. */
const states = { TRUNCATED: 'truncated', ALTERED: 'altered' } as const satisfies Record<string, Session['state']>;
type Contradiction = keyof typeof states;

const actName = 'witness.refused';

/**
 * Agents say that a record is not what they were shown. That is an act in the log, for good, whatever the record says; once for each
 * session. Where the session has ended, its row says so too: the record was cut or changed behind the back of who made it.
 */
export class WitnessRefusals {
  readonly #parts: WitnessRefusalsParts;
  readonly #known = new Set<string>();

  private constructor(parts: WitnessRefusalsParts) {
    this.#parts = parts;
  }

  /** Reads the acts of earlier runs: the catalog may have been made anew since. */
  static async open(parts: WitnessRefusalsParts): Promise<WitnessRefusals> {
    const refusals = new WitnessRefusals(parts);
    for (const { text } of await readActs(join(parts.dataDir, 'acts'))) refusals.#restore(text.toString('utf8'));
    return refusals;
  }

  /** `isLive`: nothing has happened to what is on disk; the agent was shown something else. */
  async add({ session, why, truncated }: Refused, by: { agent: string; isLive: boolean }): Promise<void> {
    const { recorder, log, clock } = this.#parts;
    const { agent, isLive } = by;
    if (this.#known.has(session) || !(await recorder.entriesForWitness(session, agent))) return;
    this.#known.add(session);
    const verdict: Contradiction | undefined = isLive ? undefined : truncated ? 'TRUNCATED' : 'ALTERED';
    const at = new Date(clock.nowMicros() / 1000).toISOString();
    const subject = { session, agent, why, ...(verdict && { verdict }) };
    await log.act(Buffer.from(`${JSON.stringify({ act: actName, at, by: agent, subject })}\n`));
    this.#mark(session, verdict);
  }

  #restore(text: string): void {
    if (!text.includes(actName)) return;
    const { act, subject } = JSON.parse(text) as { act: string; subject: { session: string; verdict?: Contradiction } };
    if (act !== actName) return;
    this.#known.add(subject.session);
    this.#mark(subject.session, subject.verdict);
  }

  #mark(session: string, verdict: Contradiction | undefined): void {
    if (verdict && verdict in states) this.#parts.catalog.contradicted(session, states[verdict]);
  }
}
