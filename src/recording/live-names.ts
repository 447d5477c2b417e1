import type { OutcomeStatus, Parameter, StatementEvent } from '../protocol/event.ts';
import type { EntryHeader } from './entry.ts';

/** What an execution executes: the text and parameters that its names stand for. */
export interface Meaning {
  text: Uint8Array | null;
  /** Where the text is not UTF-8. */
  encoding?: string | undefined;
  parameterTypes: readonly number[];
  parameters: readonly Parameter[];
  resultFormats?: readonly number[] | undefined;
  /** What was withheld of the text and the parameters. */
  redactions?: readonly string[] | undefined;
}

const nothing: Meaning = { text: null, parameterTypes: [], parameters: [] };

interface Definition {
  meaning: Meaning;
  stream: number;
  /** Absent for a text that may make names by itself: it lives as long as its stream. */
  name?: string;
}

/**
 * Entries that later ones may still refer to by `of`. A definition lives until another one of the same name was accepted, its name
 * was closed, its transaction (of a portal) or its stream ended; so memory follows the names that live, not the length of the session.
 */
export class LiveNames {
  readonly #definitions = new Map<number, Definition>();
  /** Name → the accepted definition. */
  readonly #holders = new Map<string, number>();
  /** Definitions of portals, by stream, in order. */
  readonly #portals = new Map<number, Set<number>>();
  /** Closes that are not answered yet: seq → name. */
  readonly #closing = new Map<number, string>();

  /** What the event means, now. */
  resolve({ seq, stream }: EntryHeader, event: StatementEvent): Meaning {
    const base = event.of === undefined ? nothing : (this.#definitions.get(event.of)?.meaning ?? nothing);
    const meaning: Meaning = {
      text: event.text ?? base.text,
      encoding: event.text ? event.encoding : base.encoding,
      parameterTypes: event.parameterTypes ?? base.parameterTypes,
      parameters: event.parameters ?? base.parameters,
      resultFormats: event.resultFormats ?? base.resultFormats,
      redactions: joined(base.redactions, event.redactions),
    };
    const name = nameOf(stream, event);
    if (event.verb === 'close') this.#closing.set(seq, name);
    else if (event.verb === 'parse' || event.verb === 'bind')
      this.#definitions.set(seq, { meaning: ownCopy(meaning, event), stream, name });
    else if (event.text && mayMakeNames(event.text))
      this.#definitions.set(seq, { meaning: ownCopy(meaning, event), stream });
    if (event.verb === 'bind') this.#portalsOf(stream).add(seq);
    return meaning;
  }

  /** What became of a definition or a close: names change on the resource's answers only. */
  settle(seq: number, status: OutcomeStatus): void {
    const closed = this.#closing.get(seq);
    if (closed !== undefined) {
      this.#closing.delete(seq);
      if (status === 'ok') this.#drop(closed);
      return;
    }
    const name = this.#definitions.get(seq)?.name;
    if (name === undefined) return;
    if (status !== 'ok') return this.#remove(seq);
    this.#drop(name);
    this.#holders.set(name, seq);
  }

  /** A transaction ended: no portal that was bound before is there any more. */
  endPortals(stream: number, before: number | undefined): void {
    if (before === undefined) return;
    const portals = this.#portalsOf(stream);
    for (const seq of portals) {
      if (seq >= before) return;
      const name = this.#definitions.get(seq)?.name;
      if (name !== undefined && this.#holders.get(name) === seq) this.#holders.delete(name);
      this.#remove(seq);
    }
  }

  forget(stream: number): void {
    this.#portals.delete(stream);
    for (const [seq, definition] of this.#definitions) {
      if (definition.stream !== stream) continue;
      this.#definitions.delete(seq);
      if (definition.name !== undefined) this.#holders.delete(definition.name);
    }
  }

  #portalsOf(stream: number): Set<number> {
    const known = this.#portals.get(stream);
    if (known) return known;
    const fresh = new Set<number>();
    this.#portals.set(stream, fresh);
    return fresh;
  }

  #drop(name: string): void {
    const holder = this.#holders.get(name);
    if (holder === undefined) return;
    this.#remove(holder);
    this.#holders.delete(name);
  }

  #remove(seq: number): void {
    const stream = this.#definitions.get(seq)?.stream;
    this.#definitions.delete(seq);
    if (stream !== undefined) this.#portals.get(stream)?.delete(seq);
  }
}

/** `<stream>/s/<statement>` or `<stream>/p/<portal>`. */
function nameOf(stream: number, { verb, statementName, portalName }: StatementEvent): string {
  const portal = verb === 'bind' || (verb === 'close' && portalName !== undefined);
  const name = (portal ? portalName : statementName) ?? new Uint8Array();
  return `${stream}/${portal ? 'p' : 's'}/${Buffer.from(name).toString('latin1')}`;
}

/** A definition outlives the buffer that its entry was read into; do not keep a MiB alive for a line. */
function ownCopy({ text, parameters, ...rest }: Meaning, event: StatementEvent): Meaning {
  return {
    ...rest,
    text: event.text ? Uint8Array.from(event.text) : text, // another definition's copy
    parameters: parameters.map((item) => ({ ...item, value: item.value && Uint8Array.from(item.value) })),
  };
}

/** Texts that can make a name which a later message executes (SQL PREPARE, DECLARE CURSOR). */
const mayMakeNames = (text: Uint8Array): boolean => /prepare|declare/i.test(Buffer.from(text).toString('latin1'));

const joined = (
  base: readonly string[] | undefined,
  own: readonly string[] | undefined,
): readonly string[] | undefined => (base && own ? [...base, ...own] : (base ?? own));
