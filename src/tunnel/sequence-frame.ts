/**
 * How bytes travel beside the record of them (witness-frame.ts): units on a witnessed resource stream, all numbers big-endian
 *
 *   length u32 · sequence u64 · bytes: not to be acted on before the entry of that number was checked
 */
import { StreamReset, writable, type Duplex, type Flow, type Taker } from '../shared/duplex.ts';
import { flowFrom } from '../shared/flow.ts';
import { WrappedDuplex } from '../shared/wrapped-duplex.ts';

const unitHeadBytes = 12;
/** Smaller units are copied behind their head: one frame is cheaper than two. */
const copiedBytesMax = 4096;

/** What is sent to the witness before the bytes that it is the record of. */
export interface Shower {
  /** Sends what is durable and was not sent; undefined where that is nothing, or nothing has to be waited for. */
  show(): Promise<void> | undefined;
  /** Number of the last entry that was sent. */
  readonly shownSeq: number;
}

/** The gateway's side: every write says which entry it needs; the entries up to it are sent first. */
export const withSequence = (stream: Duplex, shower: Shower): Duplex => new ShowingDuplex(stream, shower);

class ShowingDuplex extends WrappedDuplex {
  readonly #shower: Shower;

  constructor(inner: Duplex, shower: Shower) {
    super(inner);
    this.#shower = shower;
  }

  read(): Promise<Uint8Array | null> {
    return this.inner.read();
  }

  flow(taker: Taker): Flow {
    return flowFrom(this.inner, taker);
  }

  override write(bytes: Uint8Array): Promise<void> {
    const sent = this.#shower.show();
    const written = writeUnit(this.inner, this.#shower.shownSeq, bytes);
    return sent === undefined || sent === writable ? written : Promise.all([written, sent]).then(() => undefined);
  }
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
  return new CheckedDuplex(stream, checked);
}

class CheckedDuplex extends WrappedDuplex {
  readonly #units: Units;

  constructor(inner: Duplex, checked: (seq: number) => Promise<void> | undefined) {
    super(inner);
    this.#units = new Units(checked);
  }

  async read(): Promise<Uint8Array | null> {
    for (;;) {
      const next = this.#units.next();
      if (next instanceof Uint8Array) return next;
      if (next) await next;
      else {
        const bytes = await this.inner.read();
        if (bytes) this.#units.push(bytes);
        else if (this.#units.isBetween) return null;
        else throw cutOff();
      }
    }
  }

  flow(taker: Taker): Flow {
    return new CheckedFlow(this.inner, this.#units, taker);
  }
}

/** Passes on what was checked, in calls; while something waits to be checked, nothing more is taken. */
class CheckedFlow implements Taker, Flow {
  readonly #units: Units;
  readonly #taker: Taker;
  readonly #flow: Flow;
  #isChecking = false;

  constructor(inner: Duplex, units: Units, taker: Taker) {
    this.#units = units;
    this.#taker = taker;
    this.#flow = flowFrom(inner, this);
  }

  take(bytes: Uint8Array): boolean {
    this.#units.push(bytes);
    return this.#pass();
  }

  more(): void {
    if (!this.#isChecking && this.#pass()) this.#flow.more();
  }

  ended(): void {
    if (this.#units.isBetween) this.#taker.ended();
    else this.#taker.failed(cutOff());
  }

  failed(error: Error): void {
    this.#taker.failed(error);
  }

  /** True when there is room for more. */
  #pass(): boolean {
    for (let next = this.#units.next(); next; next = this.#units.next()) {
      if (next instanceof Uint8Array) {
        if (!this.#taker.take(next)) return false;
      } else {
        this.#isChecking = true;
        next.then(
          () => {
            this.#isChecking = false;
            this.more();
          },
          (error: Error) => this.#taker.failed(error),
        );
        return false;
      }
    }
    return true;
  }
}

/** Cuts bytes into units. */
class Units {
  readonly #checked: (seq: number) => Promise<void> | undefined;
  #held = nothing;
  #at = 0;
  /** Bytes of the unit under way that were not given yet. */
  #left = 0;

  constructor(checked: (seq: number) => Promise<void> | undefined) {
    this.#checked = checked;
  }

  /** Nothing of a unit is there, or under way. */
  get isBetween(): boolean {
    return this.#left === 0 && this.#at === this.#held.length;
  }

  push(bytes: Uint8Array): void {
    this.#held =
      this.#at === this.#held.length ? asBuffer(bytes) : Buffer.concat([this.#held.subarray(this.#at), bytes]);
    this.#at = 0;
  }

  /** Bytes that may be acted on; or what has to be waited for before asking again; undefined: more is to be pushed. */
  next(): Uint8Array | Promise<void> | undefined {
    while (this.#left === 0) {
      const [held, at] = [this.#held, this.#at];
      if (held.length - at < unitHeadBytes) return undefined;
      this.#left = held.readUInt32BE(at);
      this.#at = at + unitHeadBytes;
      const due = this.#checked(held.readUInt32BE(at + 4) * 2 ** 32 + held.readUInt32BE(at + 8));
      if (due) return due;
    }
    if (this.#at === this.#held.length) return undefined;
    const end = Math.min(this.#held.length, this.#at + this.#left);
    const bytes = this.#held.subarray(this.#at, end);
    this.#left -= bytes.length;
    this.#at = end;
    if (end === this.#held.length) [this.#held, this.#at] = [nothing, 0]; // what was given is not kept
    return bytes;
  }
}

const cutOff = () => new StreamReset('a unit of bytes was cut off');

const nothing: Buffer = Buffer.alloc(0);

const asBuffer = (bytes: Uint8Array): Buffer =>
  bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
