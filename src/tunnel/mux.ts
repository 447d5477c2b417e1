import { StreamReset, type Duplex } from '../shared/duplex.ts';
import { ProtocolError } from '../shared/errors.ts';
import { limits } from '../shared/limits.ts';
import { FrameParser, frameFlag, frameType, goAwayCode, resetReasonBytesMax, type FrameHeader } from './frame.ts';
import { FrameBatch } from './frame-batch.ts';
import { MuxStream, type StreamHost } from './mux-stream.ts';

export interface MuxOptions {
  /** The client's streams have odd numbers, the server's even ones. */
  role: 'client' | 'server';
  /**
   * Takes the frames of one turn, in order, in pieces whose ends mean nothing; the transport may keep them until they are sent. False
   * when it holds enough: no more data is sent until `drained()` is called.
   */
  send(pieces: Uint8Array[]): boolean;
  /** A stream that the other side opened. Called inside `receive`. */
  onStream(stream: Duplex): void;
  /** Called once, when the multiplexer is over; the transport is then to be closed. */
  onClose(reason: string, how: MuxEnd): void;
  /** Calls back at the end of this event-loop turn: the frames of one turn leave together. */
  schedule(flush: () => void): void;
  limits?: Partial<MuxLimits>;
}

/** `closed` by us, after a `violation` of the other side (both sent go-away), or `lost` without a word. */
export type MuxEnd = 'closed' | 'violation' | 'lost';

export interface MuxLimits {
  /** Streams that the other side may have open at once. */
  streamsMax: number;
  windowBytes: number;
  frameBytesMax: number;
  /** Frames gathered in one turn before they leave without waiting for its end. */
  batchBytesMax: number;
  /** Frames that wait while the transport is full (data does not): a peer that asks and never reads is cut off. */
  backlogBytesMax: number;
}

const defaults: MuxLimits = {
  streamsMax: limits.streamsPerLinkMax,
  windowBytes: limits.streamWindowBytes,
  frameBytesMax: limits.frameBytesMax,
  batchBytesMax: 256 * 1024,
  backlogBytesMax: 1024 * 1024,
};

export interface Mux {
  /** Bytes from the transport, in any cuts. Never throws for what the peer sent. The chunk must not be changed afterwards. */
  receive(chunk: Uint8Array): void;
  /** The transport takes data again. */
  drained(): void;
  /** Throws StreamReset when the connection is closed or the other side takes no more streams. */
  open(): Duplex;
  /** Resolves when the other side has answered; never when the connection closes first. */
  ping(): Promise<void>;
  /** Sends go-away with everything queued, ends all streams. Bytes that came before stay readable. Idempotent. */
  close(reason: string): void;
  /** The transport is gone. Idempotent. */
  lost(reason: string): void;
  readonly streams: number;
}

export const createMux = (options: MuxOptions): Mux => new Multiplexer(options);

class Multiplexer implements Mux, StreamHost {
  readonly windowBytes: number;
  readonly frameBytesMax: number;
  readonly #options: MuxOptions;
  readonly #limits: MuxLimits;
  readonly #parser = new FrameParser({
    header: (header) => this.#onHeader(header),
    payload: (bytes, last) => this.#onPayload(bytes, last),
  });
  readonly #streams = new Map<number, MuxStream>();
  /** Streams with data and credit, in the order of their turns. */
  readonly #ready = new Set<MuxStream>();
  readonly #pings = new Map<number, () => void>();
  readonly #flushTurn = () => this.#flush();
  readonly #batch = new FrameBatch();
  #scheduled = false;
  #transportFull = false;
  #pumping = false;
  #nextId: number;
  #lastRemoteId = 0;
  #remoteStreams = 0;
  #nextPing = 0;
  #remoteGoingAway = false;
  #over: string | undefined;
  /** The data frame under way: its stream (undefined: discard), flags, and the reason of a reset so far. */
  #target: MuxStream | undefined;
  #targetFlags = 0;
  #resetReason: Uint8Array[] | undefined;

  constructor(options: MuxOptions) {
    this.#options = options;
    this.#limits = { ...defaults, ...options.limits };
    this.windowBytes = this.#limits.windowBytes;
    this.frameBytesMax = this.#limits.frameBytesMax;
    this.#nextId = options.role === 'client' ? 1 : 2;
  }

  get streams(): number {
    return this.#streams.size;
  }

  receive(chunk: Uint8Array): void {
    if (this.#over !== undefined) return;
    try {
      this.#parser.push(chunk);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#finish(`protocol error: ${error.message}`, goAwayCode.protocolError);
    }
  }

  drained(): void {
    this.#transportFull = false;
    this.#flush();
  }

  open(): Duplex {
    if (this.#over !== undefined) throw new StreamReset(this.#over);
    if (this.#remoteGoingAway) throw new StreamReset('the other side takes no more streams');
    if (this.#nextId > 0xffff_ffff) throw new StreamReset('the connection has used up its stream numbers');
    const stream = new MuxStream(this, this.#nextId, true);
    this.#nextId += 2;
    this.#streams.set(stream.id, stream);
    return stream;
  }

  ping(): Promise<void> {
    const value = this.#nextPing++ >>> 0;
    this.#queueFrame(frameType.ping, frameFlag.syn, 0, value);
    return new Promise((resolve) => this.#pings.set(value, resolve));
  }

  close(reason: string): void {
    this.#finish(reason, goAwayCode.normal);
  }

  lost(reason: string): void {
    this.#finish(reason, undefined);
  }

  // ── what streams ask for ──────────────────────────────────────────────────

  get canSend(): boolean {
    return !this.#transportFull && this.#over === undefined;
  }

  sendData(stream: number, flags: number, bytes: Uint8Array): void {
    this.#queueFrame(frameType.data, flags, stream, bytes.length, bytes);
  }

  sendWindowUpdate(stream: number, flags: number, credit: number): void {
    this.#queueFrame(frameType.windowUpdate, flags, stream, credit);
  }

  sendReset(stream: number, flags: number, reason: string): void {
    const bytes = Buffer.from(reason).subarray(0, resetReasonBytesMax);
    this.#queueFrame(frameType.data, flags | frameFlag.rst, stream, bytes.length, bytes);
  }

  ready(stream: MuxStream): void {
    this.#ready.add(stream);
    this.#pump();
  }

  forget(stream: MuxStream): void {
    this.#ready.delete(stream);
    if (this.#streams.delete(stream.id) && this.#isRemote(stream.id)) this.#remoteStreams--;
  }

  // ── sending ───────────────────────────────────────────────────────────────

  #queueFrame(type: number, flags: number, stream: number, length: number, bytes?: Uint8Array): void {
    if (this.#over !== undefined) return;
    this.#batch.add(type, flags, stream, length, bytes);
    if (this.#transportFull) this.#checkBacklog();
    else if (this.#batch.bytes >= this.#limits.batchBytesMax) this.#flush();
    else if (!this.#scheduled) {
      this.#scheduled = true;
      this.#options.schedule(this.#flushTurn);
    }
  }

  #checkBacklog(): void {
    if (this.#batch.bytes > this.#limits.backlogBytesMax) this.#finish('the other side does not read', undefined);
  }

  #flush(): void {
    this.#scheduled = false;
    if (this.#transportFull || this.#over !== undefined) return;
    this.#sendBatch();
    this.#pump();
  }

  #sendBatch(): void {
    if (this.#batch.bytes > 0) this.#transportFull = !this.#options.send(this.#batch.take());
  }

  /** Gives turns, one slice each, until the transport is full or nobody has anything to send. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    for (const stream of this.#ready) {
      if (!this.canSend) break;
      this.#ready.delete(stream);
      if (stream.sendNext()) this.#ready.add(stream); // behind the others: iteration reaches it again after them
    }
    this.#pumping = false;
  }

  // ── receiving ─────────────────────────────────────────────────────────────

  #onHeader(header: FrameHeader): void {
    if (this.#over !== undefined) return;
    if (header.type === frameType.ping) return this.#onPing(header);
    if (header.type === frameType.goAway) return this.#onGoAway(header.length);
    const stream = this.#streamOf(header);
    if (header.type === frameType.data) {
      this.#target = stream;
      this.#targetFlags = header.flags;
      if (header.length === 0) this.#endOfFrame();
      return;
    }
    stream?.onCredit(header.length);
    this.#endWith(stream, header.flags, 'reset by the other side');
  }

  #onPayload(bytes: Uint8Array, last: boolean): void {
    if (this.#over !== undefined) return;
    if ((this.#targetFlags & frameFlag.rst) !== 0) (this.#resetReason ??= []).push(bytes);
    else this.#target?.onData(bytes);
    if (last) this.#endOfFrame();
  }

  #endOfFrame(): void {
    if (this.#targetFlags !== 0) {
      const reason = this.#resetReason && Buffer.concat(this.#resetReason).toString();
      this.#resetReason = undefined;
      this.#endWith(this.#target, this.#targetFlags, reason || 'reset by the other side');
    }
    this.#target = undefined;
  }

  #endWith(stream: MuxStream | undefined, flags: number, reason: string): void {
    if (!stream || (flags & (frameFlag.rst | frameFlag.fin)) === 0) return;
    if ((flags & frameFlag.rst) === 0) return stream.onEnd();
    stream.onReset(reason);
    this.forget(stream);
  }

  /** The frame's stream, opened if it says so; undefined for a stream that is over here and not yet there. */
  #streamOf({ flags, stream: id }: FrameHeader): MuxStream | undefined {
    if ((flags & frameFlag.syn) !== 0) return this.#accept(id);
    const stream = this.#streams.get(id);
    const neverOpened = this.#isRemote(id) ? id > this.#lastRemoteId : id >= this.#nextId;
    if (!stream && neverOpened) throw new ProtocolError('unknown-stream', `stream ${id} was never opened`);
    return stream;
  }

  #accept(id: number): MuxStream {
    if (!this.#isRemote(id) || id <= this.#lastRemoteId)
      throw new ProtocolError('bad-stream', `stream ${id} cannot be opened`);
    if (this.#remoteStreams >= this.#limits.streamsMax) {
      throw new ProtocolError('too-many-streams', `more than ${this.#limits.streamsMax} streams`);
    }
    const stream = new MuxStream(this, id, false);
    this.#lastRemoteId = id;
    this.#remoteStreams++;
    this.#streams.set(id, stream);
    this.#options.onStream(stream);
    return stream;
  }

  #onPing({ flags, length: value }: FrameHeader): void {
    if ((flags & frameFlag.syn) !== 0) return this.#queueFrame(frameType.ping, frameFlag.ack, 0, value);
    this.#pings.get(value)?.();
    this.#pings.delete(value);
  }

  #onGoAway(code: number): void {
    if (code === goAwayCode.normal) this.#remoteGoingAway = true;
    else this.#finish(`the other side gave up with code ${code}`, undefined);
  }

  #isRemote(id: number): boolean {
    return id % 2 !== this.#nextId % 2;
  }

  #finish(reason: string, code: number | undefined): void {
    if (this.#over !== undefined) return;
    if (code !== undefined) {
      this.#transportFull = true; // nothing but what is queued leaves from here on
      this.#batch.add(frameType.goAway, 0, 0, code);
      this.#sendBatch();
    }
    this.#over = reason;
    this.#pings.clear();
    this.#ready.clear();
    const failure = new StreamReset(reason);
    for (const stream of this.#streams.values()) stream.fail(failure);
    this.#streams.clear();
    this.#options.onClose(reason, code === undefined ? 'lost' : code === goAwayCode.normal ? 'closed' : 'violation');
  }
}
