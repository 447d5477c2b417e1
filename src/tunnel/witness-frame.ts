/**
 * How the record travels beside what it is the record of. Two forms, all numbers big-endian:
 *
 *   message on a link's witness stream   type u8 · length u32 · body
 *   unit on a witnessed resource stream  length u32 · sequence u64 · bytes: not to be acted on before the entry of that number was checked
 *
 * The entries of all sessions go on one stream of their own: within the streams of bytes, one whose resource does not read would hold
 * up the entries that the others wait for.
 */
import { StreamReset, type Duplex } from '../shared/duplex.ts';
import { limits } from '../shared/limits.ts';

/** `entry`: session id (16) and the entry, or its header alone. All others: JSON, by the schemas of shared/handshake.ts. */
export const witnessMessageTypes = { entry: 1, json: 2 } as const;

const messageHeadBytes = 5;
const unitHeadBytes = 12;
/** Smaller units are copied behind their head: one frame is cheaper than two. */
const copiedBytesMax = 4096;

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
 * be one, and with what `take` throws. It is on the way of every statement: one pause for a chunk, however many messages are in it.
 */
export async function readWitnessMessages(stream: Duplex, take: (type: number, body: Buffer) => void): Promise<void> {
  let held = nothing;
  for (let bytes = await stream.read(); bytes; bytes = await stream.read()) {
    held = held.length === 0 ? asBuffer(bytes) : Buffer.concat([held, bytes]);
    let at = 0;
    while (held.length - at >= messageHeadBytes) {
      const length = held.readUInt32BE(at + 1);
      if (length > limits.witnessMessageBytesMax) throw new StreamReset(`a witness message of ${length} bytes`);
      const start = at + messageHeadBytes;
      if (held.length < start + length) break;
      take(held[at]!, held.subarray(start, start + length));
      at = start + length;
    }
    held = at === held.length ? nothing : held.subarray(at);
  }
  if (held.length > 0) throw new StreamReset('a witness message was cut off');
}

/** What is sent to the witness before the bytes that it is the record of. */
export interface Shower {
  /** Sends what is durable and was not sent; undefined where that is nothing, or nothing has to be waited for. */
  show(): Promise<void> | undefined;
  /** Number of the last entry that was sent. */
  readonly shownSeq: number;
}

/** The gateway's side: every write says which entry it needs; the entries up to it are sent first. */
export function withSequence(stream: Duplex, shower: Shower): Duplex {
  return {
    get closed() {
      return stream.closed;
    },
    read: () => stream.read(),
    end: () => stream.end(),
    reset: (reason) => stream.reset(reason),
    write(bytes) {
      const sent = shower.show();
      const written = writeUnit(stream, shower.shownSeq, bytes);
      return sent === undefined ? written : Promise.all([written, sent]).then(() => undefined);
    },
  };
}

function writeUnit(stream: Duplex, seq: number, bytes: Uint8Array): Promise<void> {
  const isCopied = bytes.length <= copiedBytesMax;
  const unit = Buffer.allocUnsafe(unitHeadBytes + (isCopied ? bytes.length : 0));
  unit.writeUInt32BE(bytes.length);
  unit.writeUInt32BE(Math.floor(seq / 2 ** 32), 4);
  unit.writeUInt32BE(seq >>> 0, 8);
  if (isCopied) unit.set(bytes, unitHeadBytes);
  const written = stream.write(unit);
  if (isCopied) return written;
  written.catch(() => undefined); // the write that follows rejects too
  return stream.write(bytes);
}

/**
 * The agent's side: bytes are read only after their number was checked. `checked` gives undefined for one that was already; what its
 * promise rejects with ends the stream.
 */
export function afterSequence(stream: Duplex, checked: (seq: number) => Promise<void> | undefined): Duplex {
  let held = nothing;
  let at = 0;
  let left = 0;
  const more = async (): Promise<boolean> => {
    const bytes = await stream.read();
    if (!bytes) return false;
    held = at === held.length ? asBuffer(bytes) : Buffer.concat([held.subarray(at), bytes]);
    at = 0;
    return true;
  };
  const read = async (): Promise<Uint8Array | null> => {
    while (left === 0) {
      while (held.length - at < unitHeadBytes) {
        if (await more()) continue;
        if (held.length === at) return null;
        throw new StreamReset('the stream ended too early');
      }
      left = held.readUInt32BE(at);
      const due = checked(held.readUInt32BE(at + 4) * 2 ** 32 + held.readUInt32BE(at + 8));
      at += unitHeadBytes;
      if (due) await due;
    }
    if (held.length === at && !(await more())) throw new StreamReset('a unit of bytes was cut off');
    const end = Math.min(held.length, at + left);
    const bytes = held.subarray(at, end);
    left -= bytes.length;
    at = end;
    if (at === held.length) [held, at] = [nothing, 0]; // what was read is not kept
    return bytes;
  };
  return {
    get closed() {
      return stream.closed;
    },
    read,
    write: (bytes) => stream.write(bytes),
    end: () => stream.end(),
    reset: (reason) => stream.reset(reason),
  };
}

const nothing: Buffer = Buffer.alloc(0);

const asBuffer = (bytes: Uint8Array): Buffer =>
  bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
