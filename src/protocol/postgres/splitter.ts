import { ProtocolError } from '../../shared/errors.ts';
import { ByteQueue } from '../byte-queue.ts';
import { headerBytes } from './messages.ts';

/**
 * How messages of a type are handed over: `whole`, one by one; `run`, whole ones of one type that lie one behind the other in a chunk
 * together; `stream`, as runs too, and cut where the chunks are cut, unheld.
 */
export type Passage = 'whole' | 'run' | 'stream';

/** What a splitter finds. Bytes are given as a place in the chunk wherever a message lies whole in one. */
export interface SplitterTarget {
  /**
   * Asked as soon as a header is there, for a run once: throws if the type cannot come now. What it says must stay true until a message
   * of another type.
   */
  passage(type: number): Passage;
  /** A whole message, header included; several of them where `passage` said `run`. */
  message(type: number, bytes: Uint8Array, start: number, end: number): void;
  /** Of messages that stream: whole ones, or a piece of one. `begun`: how many begin here. `isLast`: the end is the end of a message. */
  piece(bytes: Uint8Array, start: number, end: number, isLast: boolean, begun: number): void;
}

/** For those who want nothing but whole messages. */
export const wholeMessages = (take: (type: number, message: Uint8Array) => void): SplitterTarget => ({
  passage: () => 'whole',
  message: (type, bytes, start, end) => take(type, bytes.subarray(start, end)),
  piece: () => undefined,
});

/**
 * Cuts a byte stream into messages of the PostgreSQL protocol. Pure; holds at most one incomplete message, never more than
 * `messageBytesMax`. Lengths are checked before anything is kept.
 */
export class Splitter {
  readonly #target: SplitterTarget;
  readonly #messageBytesMax: number;
  #held: ByteQueue | undefined = undefined;
  /** Of the message whose header is known: its whole length; 0 before. */
  #needed = 0;
  /** Of a streaming message: bytes still to come. */
  #streaming = 0;

  constructor(target: SplitterTarget, messageBytesMax: number) {
    this.#target = target;
    this.#messageBytesMax = messageBytesMax;
  }

  get heldBytes(): number {
    return this.#held === undefined ? 0 : this.#held.length;
  }

  /** True between messages: nothing incomplete is held or on its way. */
  get isBetween(): boolean {
    return this.#held === undefined && this.#streaming === 0;
  }

  /** True inside a message whose first bytes were handed on already. */
  get isStreaming(): boolean {
    return this.#streaming > 0;
  }

  /** Throws ProtocolError. What was found before the fault has been handed over already. */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#streaming > 0) at = this.#goOn(chunk, at);
      else if (this.#held !== undefined) at = this.#fill(this.#held, chunk, at);
      else at = this.#take(chunk, at);
    }
  }

  /** The common case: a message, or a run of them, that lies whole in the chunk. */
  #take(chunk: Uint8Array, at: number): number {
    const there = chunk.length - at;
    if (there < headerBytes) return this.#hold(chunk, at);
    const type = chunk[at]!;
    const total = checkedTotal(chunk, at);
    const passage = this.#target.passage(type);
    if (passage === 'stream') return this.#stream(chunk, at, total);
    if (total > this.#messageBytesMax) throw tooLong(total, this.#messageBytesMax);
    if (there < total) {
      this.#needed = total;
      return this.#hold(chunk, at);
    }
    let end = at + total;
    if (passage === 'run') {
      const max = this.#messageBytesMax;
      for (let next = nextEnd(type, chunk, end, max); next > end; next = nextEnd(type, chunk, end, max)) end = next;
    }
    this.#target.message(type, chunk, at, end);
    return end;
  }

  #stream(chunk: Uint8Array, at: number, total: number): number {
    let end = at + total;
    if (end > chunk.length) {
      this.#streaming = end - chunk.length;
      this.#target.piece(chunk, at, chunk.length, false, 1);
      return chunk.length;
    }
    let begun = 1;
    const type = chunk[at]!;
    for (let next = nextEnd(type, chunk, end, Infinity); next > end; next = nextEnd(type, chunk, end, Infinity)) {
      end = next;
      begun++;
    }
    this.#target.piece(chunk, at, end, true, begun);
    return end;
  }

  /** Completes a held header first, then a held message. */
  #fill(held: ByteQueue, chunk: Uint8Array, at: number): number {
    const wanted = (this.#needed || headerBytes) - held.length;
    const end = Math.min(at + wanted, chunk.length);
    held.push(chunk.subarray(at, end));
    if (end - at < wanted) return end;
    const whole = held.take();
    const knewLength = this.#needed > 0;
    this.#held = undefined;
    this.#needed = 0;
    if (knewLength) this.#target.message(whole[0]!, whole, 0, whole.length);
    else this.#take(whole, 0);
    return end;
  }

  #goOn(chunk: Uint8Array, at: number): number {
    const end = Math.min(at + this.#streaming, chunk.length);
    this.#streaming -= end - at;
    this.#target.piece(chunk, at, end, this.#streaming === 0, 0);
    return end;
  }

  /** A copy: the chunk may be a slice of a large buffer that would be kept alive by a few bytes. */
  #hold(chunk: Uint8Array, at: number): number {
    this.#held = new ByteQueue();
    this.#held.push(chunk.subarray(at));
    return chunk.length;
  }
}

/** Header and body in bytes. The length field is unsigned here: a negative one is far over every bound. */
const totalOf = (bytes: Uint8Array, at: number): number =>
  bytes[at + 1]! * 0x1000000 + ((bytes[at + 2]! << 16) | (bytes[at + 3]! << 8) | bytes[at + 4]!) + 1;

/** Where the message at this place ends, if it is of this type, good and whole in the chunk; else the place itself. */
function nextEnd(type: number, chunk: Uint8Array, at: number, bytesMax: number): number {
  if (chunk.length - at < headerBytes || chunk[at] !== type) return at;
  const total = totalOf(chunk, at);
  return total < headerBytes || total > chunk.length - at || total > bytesMax ? at : at + total;
}

function checkedTotal(bytes: Uint8Array, at: number): number {
  const total = totalOf(bytes, at);
  if (total < headerBytes) throw new ProtocolError('bad-length', `a message of length ${total - 1}; 4 is the least`);
  if (total - 1 > 0x7fffffff) throw new ProtocolError('bad-length', 'a message with a negative length');
  return total;
}

const tooLong = (total: number, max: number): ProtocolError =>
  new ProtocolError('message-too-long', `a message of ${total} bytes; this gateway takes at most ${max}`);
