import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Statement } from '../../shared/api.ts';
import { isWrite } from './is-write.ts';

/** What the player has to know of every statement at once; the rest of one is read when it is shown. */
export interface Track {
  readonly length: number;
  /** False while more may come. */
  readonly isWhole: boolean;
  seq(at: number): number;
  /** Since the session began. */
  millis(at: number): number;
  stream(at: number): number;
  isWrite(at: number): boolean;
  isError(at: number): boolean;
  /** In order of first appearance. */
  readonly streams: readonly number[];
}

const blockStatements = 256;
/** Blocks that stay readable: the screen shows neighbours. */
const openBlocksMax = 4;
const write = 1;
const error = 2;

/**
 * All statements of a session in little memory (a million in less than 100 MB): what the player asks of all in arrays, the rest compressed
 * in blocks.
 */
export class StatementTrack implements Track {
  readonly #startMillis: number;
  readonly #protocol: string;
  readonly #columns = { seq: new Float64Array(1024), millis: new Float64Array(1024) };
  #streamOf = new Uint32Array(1024);
  #flags = new Uint8Array(1024);
  #length = 0;
  readonly #blocks: Buffer[] = [];
  #last: Statement[] = [];
  readonly #open = new Map<number, Statement[]>();
  readonly streams: number[] = [];
  readonly #seen = new Set<number>();
  isWhole = false;

  constructor({ startedAt, protocol }: { startedAt: string; protocol: string }) {
    this.#startMillis = Date.parse(startedAt);
    this.#protocol = protocol;
  }

  get length(): number {
    return this.#length;
  }

  seq = (at: number): number => this.#columns.seq[at] ?? 0;
  millis = (at: number): number => this.#columns.millis[at] ?? 0;
  stream = (at: number): number => this.#streamOf[at] ?? 0;
  isWrite = (at: number): boolean => ((this.#flags[at] ?? 0) & write) !== 0;
  isError = (at: number): boolean => ((this.#flags[at] ?? 0) & error) !== 0;

  add(statement: Statement): void {
    const at = this.#length;
    if (at === this.#flags.length) this.#grow();
    // An item that was held up by an open one before it can be a little late: the player's time never goes back.
    const before = at === 0 ? 0 : this.millis(at - 1);
    this.#columns.seq[at] = statement.seq;
    this.#columns.millis[at] = Math.max(before, Date.parse(statement.at) - this.#startMillis);
    this.#streamOf[at] = statement.stream;
    this.#flags[at] = (isWrite(statement, this.#protocol) ? write : 0) | (isFailed(statement) ? error : 0);
    if (!this.#seen.has(statement.stream)) {
      this.#seen.add(statement.stream);
      this.streams.push(statement.stream);
    }
    this.#last.push(statement);
    this.#length++;
    if (this.#last.length < blockStatements) return;
    // A copy: what zlib gives is a part of 16 KiB.
    this.#blocks.push(Buffer.from(Uint8Array.from(deflateRawSync(JSON.stringify(this.#last), { level: 1 }))));
    this.#last = [];
  }

  /** `at` is below `length`. */
  statement(at: number): Statement {
    const block = Math.floor(at / blockStatements);
    const found = this.#block(block)[at % blockStatements];
    if (!found) throw new RangeError(`no statement ${at} of ${this.#length}`);
    return found;
  }

  #block(block: number): Statement[] {
    const bytes = this.#blocks[block];
    if (!bytes) return this.#last;
    const known = this.#open.get(block) ?? (JSON.parse(inflateRawSync(bytes).toString()) as Statement[]);
    this.#open.delete(block);
    this.#open.set(block, known);
    const [oldest] = this.#open.keys();
    if (this.#open.size > openBlocksMax && oldest !== undefined) this.#open.delete(oldest);
    return known;
  }

  #grow(): void {
    const size = this.#flags.length * 2;
    this.#columns.seq = grown(new Float64Array(size), this.#columns.seq);
    this.#columns.millis = grown(new Float64Array(size), this.#columns.millis);
    this.#streamOf = grown(new Uint32Array(size), this.#streamOf);
    this.#flags = grown(new Uint8Array(size), this.#flags);
  }
}

function grown<Numbers extends Float64Array | Uint32Array | Uint8Array>(to: Numbers, from: Numbers): Numbers {
  to.set(from);
  return to;
}

const failures: ReadonlySet<string> = new Set(['error', 'refused', 'cancelled', 'unknown']);

const isFailed = ({ outcome }: Statement): boolean => outcome !== null && failures.has(outcome.status);
