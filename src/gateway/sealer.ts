import { checkedEntries } from '../recording/chain.ts';
import { decodeEntry } from '../recording/entry-codec.ts';
import type { Entry } from '../recording/entry.ts';
import type { Archive } from '../store/archive.ts';
import { catalogRecording } from '../store/catalog-recording.ts';
import type { Catalog } from '../store/catalog.ts';
import type { Journal, JournalSession } from '../store/journal.ts';

/** Takes sealed sessions from the journal to the archive and the catalog. The journal lets go of one only when the archive has it. */
export class Sealer {
  readonly #journal: Journal;
  readonly #archive: Archive;
  readonly #catalog: Catalog;
  /** Sessions that the archive did not take yet. */
  readonly #waiting = new Set<JournalSession>();
  /** By session: what is under way, one at a time, because two that write the same recording would write the same file. */
  readonly #taking = new Map<string, Promise<void>>();

  constructor(journal: Journal, archive: Archive, catalog: Catalog) {
    this.#journal = journal;
    this.#archive = archive;
    this.#catalog = catalog;
  }

  /** The session's seal is durable. Rejects when the archive or the catalog fails; the journal has it then, and it is tried again. */
  async archive(session: JournalSession): Promise<void> {
    try {
      await this.catalog(session);
    } finally {
      await this.#toArchive(session);
    }
    await this.retry().catch(() => undefined); // whoever sealed that one was told
  }

  /** Tries again what the archive did not take. */
  async retry(): Promise<void> {
    for (const session of this.#waiting) {
      const isStillThere = this.#journal.session(session.id) !== undefined; // recovery may have been faster
      if (this.#waiting.delete(session) && isStillThere) await this.#toArchive(session);
    }
  }

  async catalog(session: JournalSession): Promise<void> {
    await catalogRecording(this.#catalog, session.id, checkedEntries(session, this.#journal.read(session)));
  }

  async #toArchive(session: JournalSession): Promise<void> {
    const before = this.#taking.get(session.id);
    const taking = before ? before.catch(() => this.#take(session)) : this.#take(session);
    this.#taking.set(session.id, taking);
    try {
      await taking;
    } finally {
      if (this.#taking.get(session.id) === taking) this.#taking.delete(session.id);
    }
  }

  async #take(session: JournalSession): Promise<void> {
    try {
      const { header, body } = await this.#first(session);
      if (body.kind !== 'genesis') throw new Error('a session begins with its genesis entry');
      const place = { id: session.id, ordinal: body.ordinal, startedMicros: header.timeMicros };
      const archived = await this.#archive.at(place);
      if (archived) await this.#archive.confirm(archived);
      else {
        await this.#archive.write({ ...place, idBytes: session.idBytes, entries: this.#journal.read(session) });
      }
    } catch (error) {
      this.#waiting.add(session);
      throw error;
    }
    await this.#journal.forget(session);
  }

  async #first(session: JournalSession): Promise<Entry> {
    for await (const entry of this.#journal.read(session)) return decodeEntry(entry);
    throw new Error(`the journal has no entry of session ${session.id}`);
  }
}
