import { assert } from '../shared/errors.ts';
import { groupedKinds, type EntryBody, type EntryKind } from './entry.ts';
import { kindNamed, kindNumbers } from './entry-kinds.ts';
import { writeU32 } from './field-codecs.ts';
import { payloadBytes, writePayload } from './payload.ts';

/**
 * The payload of an entry of kind `group`: for each event
 *
 *   kind u8 · length u32 · payload, as an entry of that kind would have it
 */
const headBytes = 5;

/** A group that is larger would be erased with too much else, and would not fit where small entries are made (entry-codec.ts). */
const groupBytesMax = 3900;

/** Events of one step while they are gathered. */
export class EventGroup {
  readonly #bytes = Buffer.allocUnsafeSlow(groupBytesMax);
  #end = 0;
  readonly #events: EntryBody[] = [];

  /** In order; good until `clear`. */
  get events(): readonly EntryBody[] {
    return this.#events;
  }

  /** Encodes the event, and keeps no buffer of it. False where it does not fit: then it was not added. */
  add(body: EntryBody): boolean {
    const bytes = payloadBytes(body);
    if (this.#end + headBytes + bytes > groupBytesMax || !groupedKinds.has(body.kind)) return false;
    const start = this.#end + headBytes;
    this.#bytes[this.#end] = kindNumbers[body.kind];
    writeU32(bytes, this.#bytes, this.#end + 1);
    const end = writePayload(body, this.#bytes, start);
    assert(end === start + bytes, 'a payload has the length that was measured');
    this.#end = end;
    this.#events.push(body);
    return true;
  }

  /** The entry that they make: of one event its kind. */
  get kind(): EntryKind {
    return this.#events.length === 1 ? this.#events[0]!.kind : 'group';
  }

  get payloadBytes(): number {
    return this.#end - this.#payloadAt;
  }

  writePayload(to: Buffer, at: number): void {
    this.#bytes.copy(to, at, this.#payloadAt, this.#end);
  }

  get #payloadAt(): number {
    return this.#events.length === 1 ? headBytes : 0;
  }

  clear(): void {
    this.#end = 0;
    this.#events.length = 0;
  }
}

export interface GroupedPayload {
  kind: EntryKind;
  payload: Buffer;
}

/** Whether a group that was made or checked here holds an event of one of these kinds. */
export function holdsOneOf(kinds: ReadonlySet<EntryKind>, payload: Buffer, from: number): boolean {
  for (let at = from; at < payload.length; at += headBytes + payload.readUInt32BE(at + 1))
    if (kinds.has(kindNamed(payload[at]!)!)) return true;
  return false;
}

/** The events in a group's payload. Throws RangeError on anything that `EventGroup` would not have written. */
export function readGroup(payload: Buffer, events: number): GroupedPayload[] {
  const found: GroupedPayload[] = [];
  for (let at = 0; at < payload.length;) {
    if (at + headBytes > payload.length) throw new RangeError('a group ends inside the head of an event');
    const kind = kindNamed(payload[at]!);
    const start = at + headBytes;
    const end = start + payload.readUInt32BE(at + 1);
    if (kind === undefined || !groupedKinds.has(kind)) throw new RangeError(`kind ${payload[at]} in a group`);
    if (end > payload.length) throw new RangeError('an event is longer than its group');
    found.push({ kind, payload: payload.subarray(start, end) });
    at = end;
  }
  if (found.length !== events) throw new RangeError(`a group of ${found.length} events, its header says ${events}`);
  return found;
}
