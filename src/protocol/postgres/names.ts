import { ProtocolError } from '../../shared/errors.ts';
import type { Sequence } from '../event.ts';
import type { Secrets } from './redaction-walk.ts';

/** What a prepared statement's name stands for, as the client sent it. */
export interface Definition {
  /** Entry of the Parse. */
  parse: Sequence;
  /** The Parse message's text and types, for parsing it again. */
  text: Uint8Array;
  types: number[];
  /** `Conversation.reading` when it was sent; undefined where every reading gives the same statement. */
  reading: string | undefined;
  /** Which parameters are secrets. */
  secrets: Secrets | undefined;
  /** Its text was withheld from the record, in part or whole. */
  isWithheld: boolean;
  /** As the server told when the statement was described. */
  serverTypes: number[] | undefined;
}

/** The same text, types and reading. */
export const isSameStatement = (one: Definition, other: Definition): boolean =>
  one.reading === other.reading &&
  one.types.length === other.types.length &&
  one.types.every((type, index) => type === other.types[index]) &&
  Buffer.compare(one.text, other.text) === 0;

/** What a portal's name stands for. */
export interface Portal {
  /** Entry of the Bind. */
  bind: Sequence;
  /** What was bound. */
  definition: Definition | undefined;
  /** `Conversation.acts` when it was last sure what the name means; other SQL since may have closed it and declared a cursor of that name. */
  surelyAt: number;
  /** Its text or parameters were withheld from the record. */
  isWithheld: boolean;
}

/** NAMEDATALEN - 1: the server looks at no more of a name. */
const nameBytesMax = 63;

/** Names are bytes in whatever encoding: one character for each, so that no two names fall together. */
function keyOf(name: Uint8Array, length: number): string {
  if (length === 0) return '';
  const buffer = Buffer.isBuffer(name) ? name : Buffer.from(name.buffer, name.byteOffset, length);
  return buffer.toString('latin1', 0, length);
}

/** Two names are one to the server if they agree in their first 63 bytes. */
export const statementKey = (name: Uint8Array): string => keyOf(name, Math.min(name.length, nameBytesMax));

/** A portal is used by its name in the server, so how a server cuts it must not matter (NAMEDATALEN can be changed when it is built). */
export function portalKey(name: Uint8Array): string {
  if (name.length <= nameBytesMax) return keyOf(name, name.length);
  throw new ProtocolError('name-too-long', `a portal name of ${name.length} bytes; ${nameBytesMax} is the most`);
}

interface Change<T> {
  segment: number;
  slot: Slot<T>;
  /** `null` forgets the name. */
  meaning: T | null;
  next: Change<T> | undefined;
}

/** What is known of one name. */
interface Slot<T> {
  name: string;
  answered: T | undefined;
  /** The change that was sent last, while it is not answered. */
  sent: Change<T> | undefined;
}

/**
 * Name → meaning, as the server will see it. **Changes count only when the server has answered them**: within the segment (up to a
 * Sync) in which a change was sent, later messages may build on it, because they are skipped if it fails; after the Sync nobody knows
 * until the answer comes (`isUndecided`).
 */
export class Names<T> {
  /** The empty name, which most streams use alone. */
  readonly #unnamed: Slot<T> = { name: '', answered: undefined, sent: undefined };
  #named: Map<string, Slot<T>> | undefined = undefined;
  /** Those of the named ones that have a meaning the server has answered. */
  #known: Set<Slot<T>> | undefined = undefined;
  /** Sent, not answered, in order; so also in order of their segments. */
  #oldest: Change<T> | undefined = undefined;
  #newest: Change<T> | undefined = undefined;
  readonly #bytesOf: (meaning: T) => number;
  #bytes = 0;

  constructor(bytesOf: (meaning: T) => number) {
    this.#bytesOf = bytesOf;
  }

  /** What all meanings take in memory, roughly. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Something sent in an earlier, unanswered segment changes some name: the quick look before a message is read for its name. */
  hasUndecided(segment: number): boolean {
    return this.#oldest !== undefined && this.#oldest.segment < segment;
  }

  /** Something sent in an earlier, unanswered segment changes this name, and nothing sent since does. */
  isUndecided(name: string, segment: number): boolean {
    const sent = this.#find(name)?.sent;
    return sent !== undefined && sent.segment < segment;
  }

  get(name: string, segment: number): T | undefined {
    const slot = this.#find(name);
    if (slot === undefined) return undefined;
    // Segments only grow: if the last change is of another, none is of this one.
    if (slot.sent !== undefined && slot.sent.segment === segment) return slot.sent.meaning ?? undefined;
    return slot.answered;
  }

  send(name: string, meaning: T | null, segment: number): void {
    let slot = this.#find(name);
    if (slot === undefined) {
      slot = { name, answered: undefined, sent: undefined };
      this.#named ??= new Map();
      this.#named.set(name, slot);
    }
    const change: Change<T> = { segment, slot, meaning, next: undefined };
    slot.sent = change;
    if (this.#newest === undefined) this.#oldest = change;
    else this.#newest.next = change;
    this.#newest = change;
    this.#count(meaning, 1);
  }

  /** The server confirmed the oldest change that was sent. */
  confirm(): void {
    const { slot, meaning } = this.#shift();
    this.#forget(slot);
    if (meaning === null) return this.#drop(slot);
    slot.answered = meaning;
    if (slot !== this.#unnamed) (this.#known ??= new Set()).add(slot);
  }

  /** The oldest change that was sent failed, or was skipped after an error. */
  skip(): { name: string; meaning: T | null } {
    const { slot, meaning } = this.#shift();
    this.#count(meaning, -1);
    this.#drop(slot);
    return { name: slot.name, meaning };
  }

  /** The server forgot this one. */
  forget(name: string): void {
    const slot = this.#find(name);
    if (slot === undefined) return;
    this.#forget(slot);
    this.#drop(slot);
  }

  /** The server forgot all (portals at the end of a transaction). */
  forgetAll(): void {
    this.#forget(this.#unnamed);
    for (const slot of this.#known ?? []) {
      this.#forget(slot);
      this.#drop(slot);
    }
  }

  #find(name: string): Slot<T> | undefined {
    return name === '' ? this.#unnamed : this.#named?.get(name);
  }

  #shift(): Change<T> {
    const change = this.#oldest!;
    this.#oldest = change.next;
    if (this.#oldest === undefined) this.#newest = undefined;
    if (change.slot.sent === change) change.slot.sent = undefined;
    return change;
  }

  #forget(slot: Slot<T>): void {
    if (slot.answered === undefined) return;
    this.#count(slot.answered, -1);
    slot.answered = undefined;
    if (slot !== this.#unnamed) this.#known!.delete(slot);
  }

  /** Nobody keeps a name that means nothing. */
  #drop(slot: Slot<T>): void {
    if (slot === this.#unnamed || slot.answered !== undefined || slot.sent !== undefined) return;
    this.#named!.delete(slot.name);
    if (this.#named!.size === 0) this.#named = undefined;
  }

  #count(meaning: T | null, sign: 1 | -1): void {
    if (meaning !== null) this.#bytes += sign * this.#bytesOf(meaning);
  }
}
