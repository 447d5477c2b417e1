/**
 * How the record travels beside what it is the record of (sequence-frame.ts): messages on a link's witness stream, all numbers big-endian
 *
 *   type u8 · length u32 · body
 *
 * The entries of all sessions go on one stream of their own: within the streams of bytes, one whose resource does not read would hold
 * up the entries that the others wait for.
 */
import { StreamReset, type Duplex, type Taker } from '../shared/duplex.ts';
import { flowFrom } from '../shared/flow.ts';
import { limits } from '../shared/limits.ts';

/** `entry`: session id (16) and the entry, or its header alone. All others: JSON, by the schemas of shared/handshake.ts. */
export const witnessMessageTypes = { entry: 1, json: 2 } as const;

const messageHeadBytes = 5;

/** A message of type `entry`. */
export function encodeWitnessEntry(sessionId: Uint8Array, entry: Uint8Array): Buffer {
  const message = Buffer.allocUnsafe(messageHeadBytes + sessionId.length + entry.length);
  writeEntryMessage(sessionId, entry, message, 0);
  return message;
}

function writeEntryMessage(sessionId: Uint8Array, entry: Uint8Array, to: Buffer, at: number): number {
  to[at] = witnessMessageTypes.entry;
  const start = to.writeUInt32BE(sessionId.length + entry.length, at + 1);
  to.set(sessionId, start);
  to.set(entry, start + sessionId.length);
  return start + sessionId.length + entry.length;
}

/**
 * Messages of type `entry` of one session, made as the entries come and taken later, up to a mark: many leave in one write, and none has
 * a buffer of its own.
 */
export class EntryMessages {
  readonly #sessionId: Uint8Array;
  #bytes: Buffer = Buffer.alloc(0);
  /** What is there and was not taken. */
  #start = 0;
  #end = 0;
  /** Taken before `#bytes`. */
  #before = 0;

  constructor(sessionId: Uint8Array) {
    this.#sessionId = sessionId;
  }

  /** Copies the entry. */
  add(entry: Uint8Array): void {
    const needed = messageHeadBytes + this.#sessionId.length + entry.length;
    if (this.#end + needed > this.#bytes.length) this.#makeRoom(needed);
    this.#end = writeEntryMessage(this.#sessionId, entry, this.#bytes, this.#end);
  }

  /** Behind what was added so far. */
  get mark(): number {
    return this.#before + this.#end;
  }

  /** What stands before the mark and was not taken; the caller's, for good. */
  take(mark: number): Buffer {
    const end = mark - this.#before;
    const messages = this.#bytes.subarray(this.#start, end);
    this.#start = end;
    return messages;
  }

  /** What was taken stays where it is: the transport may have it still. */
  #makeRoom(needed: number): void {
    const kept = this.#bytes.subarray(this.#start, this.#end);
    const wanted = Math.min(Math.max(messagesBytesMin, this.#bytes.length * 2), messagesBytesMax);
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(wanted, 2 * kept.length + needed));
    this.#bytes.set(kept);
    this.#before += this.#start;
    this.#start = 0;
    this.#end = kept.length;
  }
}

/** A session that says little has little memory; one that says much gets it in pieces that are cheap to come by. */
const messagesBytesMin = 2 * 1024;
const messagesBytesMax = 64 * 1024;

export function encodeWitnessJson(value: unknown): Buffer {
  const body = Buffer.from(JSON.stringify(value));
  const head = Buffer.alloc(messageHeadBytes);
  head[0] = witnessMessageTypes.json;
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

/**
 * Gives every message to `take`, in order, as soon as it is whole; resolves when the stream ends. Rejects with StreamReset for what cannot
 * be one, and with what `take` throws. It is on the way of every statement: an entry is taken within the call that brings it, so that
 * it is there before the bytes that it is the record of, which stand behind it, ask for it.
 */
export function readWitnessMessages(stream: Duplex, take: (type: number, body: Buffer) => void): Promise<void> {
  return new Promise((resolve, reject) => void flowFrom(stream, new MessageReader(take, resolve, reject)));
}

class MessageReader implements Taker {
  readonly #take: (type: number, body: Buffer) => void;
  readonly #resolve: () => void;
  readonly #reject: (error: Error) => void;
  #held = nothing;
  #isOver = false;

  constructor(take: (type: number, body: Buffer) => void, resolve: () => void, reject: (error: Error) => void) {
    this.#take = take;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  take(bytes: Uint8Array): boolean {
    if (this.#isOver) return false;
    try {
      this.#read(asBuffer(bytes));
    } catch (error) {
      this.failed(error as Error);
    }
    return !this.#isOver;
  }

  ended(): void {
    if (this.#held.length > 0) this.failed(new StreamReset('a witness message was cut off'));
    else this.#resolve();
  }

  failed(error: Error): void {
    this.#isOver = true;
    this.#reject(error);
  }

  #read(bytes: Buffer): void {
    const held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    let at = 0;
    while (held.length - at >= messageHeadBytes) {
      const length = held.readUInt32BE(at + 1);
      if (length > limits.witnessMessageBytesMax) throw new StreamReset(`a witness message of ${length} bytes`);
      const start = at + messageHeadBytes;
      if (held.length < start + length) break;
      this.#take(held[at]!, held.subarray(start, start + length));
      at = start + length;
    }
    this.#held = at === held.length ? nothing : held.subarray(at);
  }
}

const nothing: Buffer = Buffer.alloc(0);

const asBuffer = (bytes: Uint8Array): Buffer =>
  bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
