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
  serverTypes?: number[];
}

/** What a portal's name stands for. */
export interface Portal {
  /** Entry of the Bind. */
  bind: Sequence;
  /** What was bound. */
  definition?: Definition | undefined;
  /** `Conversation.acts` when it was last sure what the name means; other SQL since may have closed it and declared a cursor of that name. */
  surelyAt: number;
  /** Its text or parameters were withheld from the record. */
  isWithheld: boolean;
}

/** NAMEDATALEN - 1: the server looks at no more of a name. */
const nameBytesMax = 63;

/** Names are bytes in whatever encoding: one character for each, so that no two names fall together. */
const keyOf = (name: Uint8Array): string =>
  name.length === 0 ? '' : Buffer.from(name.buffer, name.byteOffset, name.length).toString('latin1');

/** Two names are one to the server if they agree in their first 63 bytes. */
export const statementKey = (name: Uint8Array): string => keyOf(name.subarray(0, nameBytesMax));

/** A portal is used by its name in the server, so how a server cuts it must not matter (NAMEDATALEN can be changed when it is built). */
export function portalKey(name: Uint8Array): string {
  if (name.length <= nameBytesMax) return keyOf(name);
  throw new ProtocolError('name-too-long', `a portal name of ${name.length} bytes; ${nameBytesMax} is the most`);
}

interface Change<T> {
  segment: number;
  name: string;
  /** `null` forgets the name. */
  meaning: T | null;
}

/**
 * Name → meaning, as the server will see it. **Changes count only when the server has answered them**: within the segment (up to a
 * Sync) in which a change was sent, later messages may build on it, because they are skipped if it fails; after the Sync nobody knows
 * until the answer comes (`isUndecided`).
 */
export class Names<T> {
  readonly #answered = new Map<string, T>();
  /** Sent, not answered, in order; so also in order of their segments. */
  readonly #sent: Change<T>[] = [];
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
    const [oldest] = this.#sent;
    return oldest !== undefined && oldest.segment < segment;
  }

  /** Something sent in an earlier, unanswered segment changes this name, and nothing sent since does. */
  isUndecided(name: string, segment: number): boolean {
    const change = this.#sent.findLast((sent) => sent.name === name);
    return change !== undefined && change.segment < segment;
  }

  get(name: string, segment: number): T | undefined {
    const change = this.#sent.findLast((sent) => sent.name === name && sent.segment === segment);
    return change ? (change.meaning ?? undefined) : this.#answered.get(name);
  }

  send(name: string, meaning: T | null, segment: number): void {
    this.#sent.push({ segment, name, meaning });
    this.#count(meaning, 1);
  }

  /** The server confirmed the oldest change that was sent. */
  confirm(): void {
    const { name, meaning } = this.#sent.shift()!;
    this.forget(name);
    if (meaning !== null) this.#answered.set(name, meaning);
  }

  /** The oldest change that was sent failed, or was skipped after an error. */
  skip(): Change<T> {
    const change = this.#sent.shift()!;
    this.#count(change.meaning, -1);
    return change;
  }

  /** The server forgot this one. */
  forget(name: string): void {
    this.#count(this.#answered.get(name) ?? null, -1);
    this.#answered.delete(name);
  }

  /** The server forgot all (portals at the end of a transaction). */
  forgetAll(): void {
    if (this.#answered.size === 0) return;
    for (const meaning of this.#answered.values()) this.#count(meaning, -1);
    this.#answered.clear();
  }

  #count(meaning: T | null, sign: 1 | -1): void {
    if (meaning !== null) this.#bytes += sign * this.#bytesOf(meaning);
  }
}
