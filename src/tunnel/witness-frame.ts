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

export function encodeWitnessMessage(type: number, ...body: Uint8Array[]): Buffer {
  const head = Buffer.alloc(messageHeadBytes);
  head[0] = type;
  head.writeUInt32BE(
    body.reduce((sum, { length }) => sum + length, 0),
    1,
  );
  return Buffer.concat([head, ...body]);
}

export const encodeWitnessJson = (value: unknown): Buffer =>
  encodeWitnessMessage(witnessMessageTypes.json, Buffer.from(JSON.stringify(value)));

/** Messages until the stream ends. Throws StreamReset for what cannot be one. */
export async function* readWitnessMessages(stream: Duplex): AsyncGenerator<{ type: number; body: Buffer }> {
  const from = new Cutter(stream);
  for (;;) {
    const head = await from.exactly(messageHeadBytes);
    if (!head) return;
    const length = head.readUInt32BE(1);
    if (length > limits.witnessMessageBytesMax) throw new StreamReset(`a witness message of ${length} bytes`);
    const body = await from.exactly(length);
    if (!body) throw new StreamReset('a witness message was cut off');
    yield { type: head[0]!, body };
  }
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
      const head = Buffer.alloc(unitHeadBytes);
      head.writeUInt32BE(bytes.length);
      head.writeBigUInt64BE(BigInt(seq), 4);
      if (bytes.length <= copiedBytesMax) await stream.write(Buffer.concat([head, bytes]));
      else {
        stream.write(head).catch(() => undefined); // the next write rejects too
        await stream.write(bytes);
      }
      await sent;
    },
  };
}

/** The agent's side: bytes are read only after `checked` has resolved for their number; what it rejects with ends the stream. */
export function afterSequence(stream: Duplex, checked: (seq: number) => Promise<void>): Duplex {
  const from = new Cutter(stream);
  let left = 0;
  const read = async (): Promise<Uint8Array | null> => {
    while (left === 0) {
      const head = await from.exactly(unitHeadBytes);
      if (!head) return null;
      left = head.readUInt32BE(0);
      await checked(Number(head.readBigUInt64BE(4)));
    }
    const bytes = await from.atMost(left);
    if (!bytes) throw new StreamReset('a unit of bytes was cut off');
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

/** Takes a stream apart by lengths, whatever the cuts. */
class Cutter {
  readonly #stream: Duplex;
  #held: Buffer = Buffer.alloc(0);

  constructor(stream: Duplex) {
    this.#stream = stream;
  }

  /** Null where the stream ends before the first of them. */
  async exactly(count: number): Promise<Buffer | null> {
    const pieces: Buffer[] = [];
    for (let missing = count; missing > 0;) {
      const piece = await this.atMost(missing);
      if (!piece && missing === count) return null;
      if (!piece) throw new StreamReset('the stream ended too early');
      pieces.push(piece);
      missing -= piece.length;
    }
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
  }

  async atMost(count: number): Promise<Buffer | null> {
    if (this.#held.length === 0) {
      const bytes = await this.#stream.read();
      if (!bytes) return null;
      this.#held = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    const taken = this.#held.subarray(0, count);
    this.#held = this.#held.subarray(taken.length);
    return taken;
  }
}
