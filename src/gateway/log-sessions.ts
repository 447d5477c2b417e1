import type { Leaf } from '../recording/leaf.ts';

/** Where the log speaks of a session. */
export interface LoggedPlaces {
  ordinal: number;
  /** Indices of leaves. */
  open: number;
  lastHead: number | undefined;
  end: number | undefined;
  erased: number[];
  /** Numbers of the entries that those are about. */
  erasedEntries: Set<number>;
  removed: number | undefined;
  ended: boolean;
}

/** Which leaves are about which session: what proofs are asked for, and what a start has to add. */
export class LoggedSessions {
  readonly #sessions = new Map<string, LoggedPlaces>();
  readonly #ordinals = new Set<number>();
  /** The highest that the log has seen. */
  ordinalMax = 0;

  add(leaf: Leaf, index: number): void {
    const id = leaf.subject.toString('hex');
    if (leaf.kind === 'open') {
      const place = { ordinal: leaf.number, open: index, lastHead: undefined, end: undefined };
      this.#sessions.set(id, { ...place, erased: [], erasedEntries: new Set(), removed: undefined, ended: false });
      this.#ordinals.add(leaf.number);
      this.ordinalMax = Math.max(this.ordinalMax, leaf.number);
    }
    const known = this.#sessions.get(id);
    if (!known) return;
    if (leaf.kind === 'head') known.lastHead = index;
    if (leaf.kind === 'erased') {
      known.erased.push(index);
      known.erasedEntries.add(leaf.number);
    }
    if (leaf.kind === 'removed') known.removed = index;
    if (leaf.kind !== 'close' && leaf.kind !== 'interrupted') return;
    known.end = index;
    known.ended = true;
  }

  get(id: Buffer): LoggedPlaces | undefined {
    return this.#sessions.get(id.toString('hex'));
  }

  hasOrdinal(ordinal: number): boolean {
    return this.#ordinals.has(ordinal);
  }

  /** Sessions of which entries were erased, or that were removed, by their ids. */
  *changed(): Generator<[id: Buffer, places: LoggedPlaces]> {
    for (const [id, places] of this.#sessions)
      if (places.removed !== undefined || places.erasedEntries.size > 0) yield [Buffer.from(id, 'hex'), places];
  }
}
