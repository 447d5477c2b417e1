import { ProtocolError } from '../../shared/errors.ts';
import { ByteQueue } from '../byte-queue.ts';
import { headerBytes } from './messages.ts';

/** What a splitter finds. Slices are of the chunk wherever a message lies whole in one. */
export interface SplitterTarget {
  /** A whole message, header included. */
  message(type: number, message: Uint8Array): void;
  /**
   * A piece of a message whose body passes through unheld: the first piece begins with the header. `last` marks the end of a message.
   * Only called for types that `streams` accepted.
   */
  piece(type: number, bytes: Uint8Array, last: boolean): void;
  /** Checked as soon as a header is there: throws if the type cannot come now. True lets the body stream through in pieces. */
  streams(type: number, length: number): boolean;
}

/**
 * Cuts a byte stream into messages of the PostgreSQL protocol. Pure; holds at most one incomplete message, never more than
 * `messageBytesMax`. Lengths are checked before anything is kept.
 */
export class Splitter {
  readonly #target: SplitterTarget;
  readonly #messageBytesMax: number;
  readonly #held = new ByteQueue();
  /** Of the message whose header is known: its whole length; 0 before. */
  #needed = 0;
  /** Of a streaming message: bytes still to come, and its type. */
  #streaming = 0;
  #streamingType = 0;

  constructor(target: SplitterTarget, messageBytesMax: number) {
    this.#target = target;
    this.#messageBytesMax = messageBytesMax;
  }

  get heldBytes(): number {
    return this.#held.length;
  }

  /** True between messages: nothing incomplete is held or on its way. */
  get isBetween(): boolean {
    return this.#held.length === 0 && this.#streaming === 0;
  }

  /** True inside a message whose first bytes were handed on already. */
  get isStreaming(): boolean {
    return this.#streaming > 0;
  }

  /** Throws ProtocolError. What was found before the fault has been handed over already. */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#streaming > 0) at = this.#passPiece(chunk, at);
      else if (this.#held.length > 0) at = this.#fill(chunk, at);
      else at = this.#take(chunk, at);
    }
  }

  /** The common case: a message that lies whole in the chunk. */
  #take(chunk: Uint8Array, at: number): number {
    if (chunk.length - at < headerBytes) return this.#hold(chunk, at, chunk.length);
    const type = chunk[at]!;
    const total = this.#checkedTotal(chunk, at);
    if (this.#target.streams(type, total)) {
      this.#streaming = total;
      this.#streamingType = type;
      return at;
    }
    if (total > this.#messageBytesMax) throw tooLong(total, this.#messageBytesMax);
    if (chunk.length - at < total) {
      this.#needed = total;
      return this.#hold(chunk, at, chunk.length);
    }
    this.#target.message(type, chunk.subarray(at, at + total));
    return at + total;
  }

  /** Completes a held header first, then a held message. */
  #fill(chunk: Uint8Array, at: number): number {
    const wanted = (this.#needed || headerBytes) - this.#held.length;
    const end = Math.min(at + wanted, chunk.length);
    this.#hold(chunk, at, end);
    if (end - at < wanted) return end;
    const whole = this.#held.take();
    const knewLength = this.#needed > 0;
    this.#needed = 0;
    if (knewLength) this.#target.message(whole[0]!, whole);
    else this.#headerKnown(whole);
    return end;
  }

  #headerKnown(header: Uint8Array): void {
    const type = header[0]!;
    const total = this.#checkedTotal(header, 0);
    if (this.#target.streams(type, total)) {
      this.#streaming = total;
      this.#streamingType = type;
      this.#passPiece(header, 0);
      return;
    }
    if (total > this.#messageBytesMax) throw tooLong(total, this.#messageBytesMax);
    if (total === headerBytes) return this.#target.message(type, header);
    this.#hold(header, 0, headerBytes);
    this.#needed = total;
  }

  #passPiece(chunk: Uint8Array, at: number): number {
    const end = Math.min(at + this.#streaming, chunk.length);
    this.#streaming -= end - at;
    this.#target.piece(this.#streamingType, chunk.subarray(at, end), this.#streaming === 0);
    return end;
  }

  /** A copy: the chunk may be a slice of a large buffer that would be kept alive by a few bytes. */
  #hold(chunk: Uint8Array, at: number, end: number): number {
    this.#held.push(chunk.subarray(at, end));
    return end;
  }

  /** Header and body in bytes. The length field is unsigned here: a negative one is far over every bound. */
  #checkedTotal(bytes: Uint8Array, at: number): number {
    const length = bytes[at + 1]! * 0x1000000 + ((bytes[at + 2]! << 16) | (bytes[at + 3]! << 8) | bytes[at + 4]!);
    if (length < 4) throw new ProtocolError('bad-length', `a message of length ${length}; 4 is the least`);
    if (length > 0x7fffffff) throw new ProtocolError('bad-length', 'a message with a negative length');
    return length + 1;
  }
}

const tooLong = (total: number, max: number): ProtocolError =>
  new ProtocolError('message-too-long', `a message of ${total} bytes; this gateway takes at most ${max}`);
