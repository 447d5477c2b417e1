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

/** One message of type `entry` for each, in one buffer: they leave in one write. */
export function encodeWitnessEntries(sessionId: Uint8Array, entries: readonly Uint8Array[]): Buffer {
  const headBytes = messageHeadBytes + sessionId.length;
  const messages = Buffer.allocUnsafe(entries.reduce((sum, { length }) => sum + headBytes + length, 0));
  let at = 0;
  for (const entry of entries) {
    messages[at] = witnessMessageTypes.entry;
    messages.writeUInt32BE(sessionId.length + entry.length, at + 1);
    messages.set(sessionId, at + messageHeadBytes);
    messages.set(entry, at + headBytes);
    at += headBytes + entry.length;
  }
  return messages;
}

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
  let held: Buffer = Buffer.alloc(0);
  for (let bytes = await stream.read(); bytes; bytes = await stream.read()) {
    held = joined(held, bytes);
    while (held.length >= messageHeadBytes) {
      const length = held.readUInt32BE(1);
      if (length > limits.witnessMessageBytesMax) throw new StreamReset(`a witness message of ${length} bytes`);
      const end = messageHeadBytes + length;
      if (held.length < end) break;
      take(held[0]!, held.subarray(messageHeadBytes, end));
      held = held.subarray(end);
    }
  }
  if (held.length > 0) throw new StreamReset('a witness message was cut off');
}

/** The gateway's side: every write says which entry it needs; `told` sends the entries up to it first. */
export function withSequence(stream: Duplex, told: () => { seq: number; sent: Promise<void> }): Duplex {
  return {
    closed: stream.closed,
    read: () => stream.read(),
    end: () => stream.end(),
    reset: (reason) => stream.reset(reason),
    async write(bytes) {
      const { seq, sent } = told();
      sent.catch(() => undefined);
      const isCopied = bytes.length <= copiedBytesMax;
      const unit = Buffer.allocUnsafe(unitHeadBytes + (isCopied ? bytes.length : 0));
      unit.writeUInt32BE(bytes.length);
      unit.writeUInt32BE(Math.floor(seq / 2 ** 32), 4);
      unit.writeUInt32BE(seq >>> 0, 8);
      if (isCopied) unit.set(bytes, unitHeadBytes);
      const written = stream.write(unit);
      written.catch(() => undefined); // where another write follows, that one rejects too
      await (isCopied ? written : stream.write(bytes));
      await sent;
    },
  };
}

/**
 * The agent's side: bytes are read only after their number was checked. `checked` gives undefined for one that was already; what its
 * promise rejects with ends the stream.
 */
export function afterSequence(stream: Duplex, checked: (seq: number) => Promise<void> | undefined): Duplex {
  let held: Buffer = Buffer.alloc(0);
  let left = 0;
  const more = async (): Promise<boolean> => {
    const bytes = await stream.read();
    if (bytes) held = joined(held, bytes);
    return bytes !== null;
  };
  const read = async (): Promise<Uint8Array | null> => {
    while (left === 0) {
      while (held.length < unitHeadBytes) {
        if (await more()) continue;
        if (held.length === 0) return null;
        throw new StreamReset('the stream ended too early');
      }
      left = held.readUInt32BE(0);
      const due = checked(held.readUInt32BE(4) * 2 ** 32 + held.readUInt32BE(8));
      held = held.subarray(unitHeadBytes);
      if (due) await due;
    }
    if (held.length === 0 && !(await more())) throw new StreamReset('a unit of bytes was cut off');
    const bytes = held.subarray(0, left);
    held = held.subarray(bytes.length);
    left -= bytes.length;
    return bytes;
  };
  return {
    closed: stream.closed,
    read,
    write: (bytes) => stream.write(bytes),
    end: () => stream.end(),
    reset: (reason) => stream.reset(reason),
  };
}

const joined = (held: Buffer, bytes: Uint8Array): Buffer => {
  const added = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return held.length === 0 ? added : Buffer.concat([held, added]);
};
