import { ProtocolError } from '../../shared/errors.ts';
import { ByteQueue } from '../byte-queue.ts';
import { parseUnsigned } from './messages.ts';

export interface Command {
  /** At least one. Views of `bytes`. */
  words: Uint8Array[];
  /** The whole message as it came. */
  bytes: Uint8Array;
}

const asterisk = 0x2a;
const dollar = 0x24;
const cr = 0x0d;
const lf = 0x0a;
/** A type byte, a count or length, CR LF: longer than any that is good. */
const lineBytesMax = 20;
/** Redis up to version 6 takes no more. Each costs some 150 bytes here, however short it is. */
const wordsMax = 1024 * 1024;
/** `$0\r\n\r\n`. */
const wordBytesMin = 6;
const none = new Uint8Array(0);

/**
 * Cuts what a client sends into commands: arrays of bulk strings only, strictly. Holds at most one incomplete command (and the chunk in
 * which it ends), never more than `bytesMax` and a chunk; counts and lengths are checked before anything is kept for them.
 */
export class CommandCutter {
  readonly #bytesMax: number;
  readonly #held = new ByteQueue();
  #chunk: Uint8Array = none;
  /** In the chunk: where the next command begins. */
  #at = 0;
  /** In the command that is being read: how far it is read, words to come, where the words are. */
  #read = 0;
  #wordsLeft = 0;
  /** Of the word whose length is known; -1 before. */
  #length = -1;
  #places: number[] = [];

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get heldBytes(): number {
    return this.#held.length;
  }

  /** Everything that `next` gave no command for so far: a copy. */
  get rest(): Uint8Array {
    return Buffer.concat([this.#held.peek(), this.#chunk.subarray(this.#at)]);
  }

  /** Adds bytes, once `next` gave nothing more of those before. */
  push(chunk: Uint8Array): void {
    this.#chunk = chunk;
    this.#at = 0;
  }

  /** The next whole command. Throws ProtocolError. */
  next(): Command | undefined {
    if (this.#at >= this.#chunk.length) return undefined;
    const heldBefore = this.#held.length;
    const isFresh = heldBefore === 0;
    if (!isFresh) this.#held.push(this.#chunk.subarray(this.#at));
    const bytes = isFresh ? this.#chunk.subarray(this.#at) : this.#held.peek();
    if (!this.#scan(bytes)) {
      if (isFresh) this.#held.push(bytes);
      this.#chunk = none;
      this.#at = 0;
      return undefined;
    }
    this.#at += this.#read - heldBefore;
    return this.#taken(isFresh ? bytes : this.#held.take());
  }

  #taken(bytes: Uint8Array): Command {
    const words: Uint8Array[] = [];
    for (let index = 0; index < this.#places.length; index += 2)
      words.push(bytes.subarray(this.#places[index], this.#places[index + 1]));
    const command = { words, bytes: bytes.subarray(0, this.#read) };
    this.#read = 0;
    this.#places = [];
    return command;
  }

  /** Goes on where it stopped; true when the command is whole. */
  #scan(bytes: Uint8Array): boolean {
    if (this.#read === 0 && !this.#readCount(bytes)) return false;
    while (this.#wordsLeft > 0) if (!this.#readWord(bytes)) return false;
    return true;
  }

  #readCount(bytes: Uint8Array): boolean {
    if (bytes[0] !== asterisk)
      throw new ProtocolError(
        'inline-command',
        'a command that is not an array of bulk strings (inline commands are not taken)',
      );
    const count = this.#number(bytes, 'count');
    if (count === undefined) return false;
    if (count === 0) throw new ProtocolError('bad-message', 'a command without a word');
    if (count > wordsMax)
      throw new ProtocolError(
        'message-too-long',
        `a command of ${count} arguments; this gateway takes at most ${wordsMax}`,
      );
    if (count * wordBytesMin > this.#bytesMax) throw this.#tooLong(count * wordBytesMin);
    this.#wordsLeft = count;
    return true;
  }

  #readWord(bytes: Uint8Array): boolean {
    if (this.#length < 0) {
      const first = bytes[this.#read];
      if (first === undefined) return false;
      if (first !== dollar) throw new ProtocolError('bad-message', 'an argument that is not a bulk string');
      const length = this.#number(bytes, 'length');
      if (length === undefined) return false;
      const total = this.#read + length + 2 + (this.#wordsLeft - 1) * wordBytesMin;
      if (total > this.#bytesMax) throw this.#tooLong(total);
      this.#length = length;
    }
    const end = this.#read + this.#length;
    if (bytes.length > end && bytes[end] !== cr) throw notEnded();
    if (bytes.length < end + 2) return false;
    if (bytes[end + 1] !== lf) throw notEnded();
    this.#places.push(this.#read, end);
    this.#read = end + 2;
    this.#length = -1;
    this.#wordsLeft--;
    return true;
  }

  /** The number between the type byte at `#read` and CR LF; moves behind them. */
  #number(bytes: Uint8Array, what: string): number | undefined {
    const start = this.#read + 1;
    const last = Math.min(bytes.length, start + lineBytesMax);
    let end = start;
    while (end < last && bytes[end] !== cr) {
      const byte = bytes[end++]!;
      if (byte < 0x30 || byte > 0x39) throw badNumber(what);
    }
    if (end - start >= lineBytesMax) throw badNumber(what);
    if (end + 1 >= bytes.length) return undefined;
    // The server takes any byte behind CR for a line's end, and two readers would then see two commands.
    if (bytes[end + 1] !== lf) throw new ProtocolError('bad-line-end', 'a CR without its LF');
    const value = parseUnsigned(bytes.subarray(start, end));
    if (value === undefined) throw badNumber(what);
    this.#read = end + 2;
    return value;
  }

  #tooLong(bytes: number): ProtocolError {
    return new ProtocolError(
      'message-too-long',
      `a command of at least ${bytes} bytes; this gateway takes at most ${this.#bytesMax}`,
    );
  }
}

const badNumber = (what: string): ProtocolError =>
  new ProtocolError('bad-length', `a ${what} that is not a plain unsigned number`);
const notEnded = (): ProtocolError => new ProtocolError('bad-line-end', 'a bulk string without CR LF at its end');
