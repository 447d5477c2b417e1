import type { Recorder, SessionFacts } from '../../../src/gateway/recorder.ts';
import type { Entry } from '../../../src/recording/entry.ts';
import { entryHash } from '../../../src/recording/entry-codec.ts';
import { protocolNamed } from '../../../src/protocol/registry.ts';
import { statementsOf } from '../../../src/recording/timeline.ts';
import type { Statement } from '../../../src/shared/api.ts';
import { collect, each } from '../../support/recorder.ts';
import { markersIn } from './dialects.ts';
import type { World } from './world.ts';

export interface SentOnStream {
  ordinal: number;
  /** By the client, in this order. */
  asked: string[];
  /** Got by the resource, in this order. */
  forwarded: string[];
  answered: Map<string, 'ok' | 'error'>;
  answerMillis: number;
  isSilent: boolean;
}

interface KnownSession {
  id: string;
  facts: SessionFacts;
  isDurable: boolean;
  sealedHead: string | undefined;
  streams: Map<number, SentOnStream>;
}

/** What really happened in the world, kept outside the gateway: the record is compared with it. */
export class Ledger {
  readonly #world: World;
  readonly sessions = new Map<string, KnownSession>();
  #markers = 0;
  /** Marker → place in the order of appending. */
  readonly #appended = new Map<string, number>();
  #lastForwarded = -1;
  forwardedCount = 0;
  resumed = 0;
  checked = 0;

  constructor(world: World) {
    this.#world = world;
  }

  nextMarker(): number {
    return ++this.#markers;
  }

  opened(id: string, facts: SessionFacts): KnownSession {
    const known = { id, facts, isDurable: false, sealedHead: undefined, streams: new Map() };
    this.sessions.set(id, known);
    return known;
  }

  stream(id: string, ordinal: number): SentOnStream {
    const sent = { ordinal, asked: [], forwarded: [], answered: new Map(), answerMillis: 0, isSilent: false };
    this.sessions.get(id)!.streams.set(ordinal, sent);
    return sent;
  }

  appended(entry: Uint8Array): void {
    for (const marker of markersIn(entry)) this.#appended.set(marker, this.#appended.size);
  }

  forwarded(sent: SentOnStream, marker: string): void {
    if (sent.forwarded.includes(marker)) this.#world.violated(`${marker} is forwarded twice`);
    if (sent.asked[sent.forwarded.length] !== marker) this.#world.violated(`${marker} is forwarded out of turn`);
    const place = this.#appended.get(marker) ?? -1;
    if (place <= this.#lastForwarded)
      this.#world.violated(`${marker} is forwarded in another order than it is durable`);
    this.#lastForwarded = place;
    this.forwardedCount++;
    sent.forwarded.push(marker);
  }

  /** The record after a start, against what happened. */
  async compare(recorder: Recorder): Promise<void> {
    const violated = (what: string) => this.#world.violated(`after a restart, ${what}`);
    if (recorder.damaged.length > 0) violated(`sessions are damaged: ${recorder.damaged.join(', ')}`);
    if (recorder.faults.length > 0) violated(`the journal is damaged: ${JSON.stringify(recorder.faults)}`);
    const seen = new Set<string>();
    const ordinals = new Set<number>();
    for (const known of this.sessions.values()) {
      const entries = await collect(recorder.readEntries(known.id)).catch((error: Error & { code?: string }) => {
        const mayBeGone = error.code === 'HOOP_NOT_FOUND' && !known.isDurable;
        if (!mayBeGone) violated(`session ${known.id} cannot be read: ${error.message}`);
      });
      if (!entries) continue;
      this.checked++;
      this.#compareEnds(known, entries, ordinals, violated);
      const { entries: raw } = await recorder.readRaw(known.id);
      const head = Buffer.from(entryHash((await collect(raw)).at(-1)!)).toString('hex');
      if (known.sealedHead !== undefined && known.sealedHead !== head) violated(`${known.id} was sealed otherwise`);
      known.sealedHead = head; // from now on it must not change
      const protocol = protocolNamed(known.facts.resource.protocol)!;
      const rendering = { session: known.id, renderParameter: () => '', renderCommand: protocol.renderCommand };
      const statements = await collect(statementsOf(each(entries), rendering));
      for (const what of wrongStatements(known, statements, seen)) violated(what);
    }
  }

  #compareEnds(known: KnownSession, entries: Entry[], ordinals: Set<number>, violated: (what: string) => void): void {
    const [genesis, last] = [entries[0]!.body, entries.at(-1)!];
    if (genesis.kind !== 'genesis') return violated(`${known.id} does not begin with its genesis entry`);
    const { user, actor, actorInstance, resource, agent } = genesis;
    const { principal, resource: wanted, agent: wantedAgent } = known.facts;
    const told = [principal.user, principal.actor, principal.actorInstance, wanted.name, wantedAgent].join();
    if ([user, actor, actorInstance, resource, agent].join() !== told) violated(`${known.id} is another one's session`);
    if (ordinals.has(genesis.ordinal)) violated(`two sessions have the ordinal ${genesis.ordinal}`);
    ordinals.add(genesis.ordinal);
    if (last.body.kind !== 'seal') violated(`${known.id} has no seal`);
  }
}

function* wrongStatements(known: KnownSession, statements: Statement[], seen: Set<string>): Generator<string> {
  for (const { ordinal, forwarded, asked, answered } of known.streams.values()) {
    const recorded: string[] = [];
    for (const { stream, text, outcome, seq } of statements) {
      const [marker] = markersIn(Buffer.from(text ?? ''));
      if (stream !== ordinal || !marker) continue;
      if (seen.has(marker)) yield `${marker} is in the record twice`;
      seen.add(marker);
      recorded.push(marker);
      if (!outcome) yield `${known.id} has no outcome of ${seq}`;
      const claims = outcome?.status === 'ok' || outcome?.status === 'error';
      if (claims && answered.get(marker) !== outcome.status)
        yield `${marker} is ${outcome.status} and was not answered so`;
    }
    const lost = forwarded.filter((marker, index) => recorded[index] !== marker);
    if (lost.length > 0)
      yield `stream ${ordinal} of ${known.id} got ${forwarded.join()}, and the record has ${recorded.join()}`;
    if (recorded.some((marker, index) => asked[index] !== marker))
      yield `${known.id} has what nobody sent: ${recorded.join()}`;
  }
}
