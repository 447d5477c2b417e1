import { ProtocolError } from '../../shared/errors.ts';
import { ByteQueue } from '../byte-queue.ts';
import { parseUnsigned } from './messages.ts';

/** One value of a reply: a leaf, or the head of an aggregate. */
export interface Element {
  /** Type byte as a character. */
  type: string;
  /** 0: a reply or a push; 1: its parts. -1 inside a push that came between the parts of a reply. */
  depth: number;
  /** What stands on its first line, behind the type. */
  line: Uint8Array;
  /** Of an aggregate: how many elements follow; of a null or a leaf: 0. */
  count: number;
  /** Of a short string: its bytes. */
  value: Uint8Array | undefined;
}

export interface ReplyTarget {
  /** A value begins. Throws if it cannot come now. */
  element(element: Element): void;
  /** Bytes of the element that began last, or of a string in it, in order, all of them. Good until it returns. */
  bytes(bytes: Uint8Array): void;
  /** What began at depth 0 is complete. */
  end(): void;
  /** True when nothing more is to be read, whatever else lies in the chunk. */
  readonly isOver?: boolean;
}

const cr = 0x0d;
const lf = 0x0a;
/** A number line: a type byte, a sign, digits, CR LF. Doubles and big numbers have lines of their own length. */
const numberLineBytesMax = 32;
/** Strings of that length are handed over with their element: kinds of push messages, codes, short values. */
const shortBytesMax = 64;
/** Lua scripts and modules nest replies; nothing sensible nests them deeper. */
const depthMax = 1024;

const leaves: ReadonlySet<string> = new Set(['+', '-', ':', '_', ',', '#', '(']);
const strings: ReadonlySet<string> = new Set(['$', '!', '=']);
const aggregates: ReadonlySet<string> = new Set(['*', '~', '%', '>']);

interface Frame {
  left: number;
  /** A push between the parts of a reply: it is no part of it. */
  isAside: boolean;
}

/**
 * Reads what a server sends, RESP2 and RESP3 alike: strings stream through whatever their size, lines are held until they are whole.
 * Null forms of RESP2 (`$-1`, `*-1`) are leaves.
 */
export class ReplyParser {
  readonly #target: ReplyTarget;
  readonly #lineBytesMax: number;
  readonly #held = new ByteQueue();
  readonly #stack: Frame[] = [];
  #asides = 0;
  /** Of a string that streams: bytes to come, CR LF included. */
  #streaming = 0;
  /** Of a short string: how long line and bytes are together; 0 before that is known. */
  #needed = 0;

  constructor(target: ReplyTarget, lineBytesMax: number) {
    this.#target = target;
    this.#lineBytesMax = lineBytesMax;
  }

  get heldBytes(): number {
    return this.#held.length;
  }

  /** True inside a reply of which the client may have a part already. */
  get isInside(): boolean {
    return this.#stack.length > 0 || this.#streaming > 0;
  }

  /** Throws ProtocolError. What was found before the fault has been handed over already. */
  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length && !this.#target.isOver;) {
      if (this.#streaming > 0) at = this.#passString(chunk, at);
      else if (this.#needed > 0) at = this.#fillShort(chunk, at);
      else at = this.#takeLine(chunk, at);
    }
  }

  #takeLine(chunk: Uint8Array, at: number): number {
    const newline = chunk.indexOf(lf, at);
    const end = newline < 0 ? chunk.length : newline + 1;
    const isFresh = this.#held.length === 0;
    if (newline < 0 || !isFresh) this.#held.push(chunk.subarray(at, end));
    this.#checkLine(isFresh ? chunk[at]! : this.#held.peek()[0]!, isFresh ? end - at : this.#held.length);
    if (newline < 0) return end;
    const line = isFresh ? chunk.subarray(at, end) : this.#held.take();
    this.#line(line);
    return end;
  }

  #checkLine(type: number, length: number): void {
    const isText = type === 0x2b || type === 0x2d || type === 0x28 || type === 0x2c;
    if (length > (isText ? this.#lineBytesMax : numberLineBytesMax))
      throw desync('a line that does not end where it should');
  }

  /** A whole line, with its CR LF. */
  #line(whole: Uint8Array): void {
    const type = String.fromCharCode(whole[0]!);
    if (whole.length < 3 || whole.indexOf(cr) !== whole.length - 2) throw desync('a line without CR LF at its end');
    const line = whole.subarray(1, whole.length - 2);
    if (leaves.has(type)) return this.#leaf({ type, line }, whole);
    const isNull = line.length === 2 && line[0] === 0x2d && line[1] === 0x31;
    if (isNull && (type === '$' || type === '*')) return this.#leaf({ type, line }, whole);
    const size = parseUnsigned(line);
    if (size === undefined) throw desync('a count or length that is not a number');
    if (strings.has(type)) this.#string({ type, line }, size, whole);
    else if (aggregates.has(type)) this.#aggregate({ type, line }, size, whole);
    else throw desync(`a reply of the unknown type 0x${whole[0]!.toString(16).padStart(2, '0')}`);
  }

  #string(head: { type: string; line: Uint8Array }, length: number, whole: Uint8Array): void {
    if (length <= shortBytesMax) {
      this.#held.push(whole);
      this.#needed = whole.length + length + 2;
      return;
    }
    this.#begin({ ...head, count: 0, value: undefined }, whole);
    this.#streaming = length + 2;
  }

  #fillShort(chunk: Uint8Array, at: number): number {
    const end = Math.min(chunk.length, at + this.#needed - this.#held.length);
    this.#held.push(chunk.subarray(at, end));
    if (this.#held.length < this.#needed) return end;
    const whole = this.#held.take();
    this.#needed = 0;
    if (whole.at(-2) !== cr || whole.at(-1) !== lf) throw badEnd();
    const start = whole.indexOf(lf) + 1;
    const [line, value] = [whole.subarray(1, start - 2), whole.subarray(start, whole.length - 2)];
    this.#begin({ type: String.fromCharCode(whole[0]!), line, count: 0, value }, whole);
    this.#complete();
    return end;
  }

  /** The bytes of the string as they come; CR and LF each only once it is there: after a fault nobody may think that the string ended. */
  #passString(chunk: Uint8Array, at: number): number {
    const whole = at + this.#streaming;
    const isWhole = whole <= chunk.length && chunk[whole - 2] === cr && chunk[whole - 1] === lf;
    const body = Math.min(chunk.length, whole - 2);
    const end = isWhole ? whole : Math.max(body, at + 1);
    if (end > body && !isWhole && chunk[at] !== (this.#streaming === 2 ? cr : lf)) throw badEnd();
    this.#streaming -= end - at;
    this.#target.bytes(chunk.subarray(at, end));
    if (this.#streaming === 0) this.#complete();
    return end;
  }

  #leaf(head: { type: string; line: Uint8Array }, whole: Uint8Array): void {
    this.#begin({ ...head, count: 0, value: undefined }, whole);
    this.#complete();
  }

  #aggregate(head: { type: string; line: Uint8Array }, size: number, whole: Uint8Array): void {
    const isAside = head.type === '>' && this.#stack.length > 0;
    if (isAside) this.#asides++;
    const count = head.type === '%' ? size * 2 : size;
    this.#begin({ ...head, count, value: undefined }, whole);
    if (this.#stack.length === depthMax) throw desync('a reply that is nested too deep');
    this.#stack.push({ left: count, isAside });
    if (count === 0) this.#close();
  }

  #begin(element: Omit<Element, 'depth'>, bytes: Uint8Array): void {
    this.#target.element({ ...element, depth: this.#asides > 0 ? -1 : this.#stack.length });
    this.#target.bytes(bytes);
  }

  /** An element is over, and with it those that end with it. */
  #complete(): void {
    const top = this.#stack.at(-1);
    if (!top) return this.#target.end();
    top.left--;
    if (top.left === 0) this.#close();
  }

  #close(): void {
    const { isAside } = this.#stack.pop()!;
    if (isAside) this.#asides--;
    else this.#complete();
  }
}

const desync = (message: string): ProtocolError => new ProtocolError('desync', `the resource sent ${message}`);
const badEnd = (): ProtocolError => desync('a string without CR LF at its end');
