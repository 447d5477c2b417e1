import { ProtocolError } from '../../shared/errors.ts';
import type { ByteRuns } from '../byte-runs.ts';
import type { Awaited } from './awaited.ts';
import { mayBeSent } from './client-messages.ts';
import type { Conversation } from './conversation.ts';
import { decodeBind, decodeExecute, decodeTarget, encodeMessage, frontendType, headerBytes } from './messages.ts';
import { portalKey, statementKey } from './names.ts';
import type { Passage, SplitterTarget } from './splitter.ts';

/** Makes the server say what it has to say; no answer of its own. */
export const flush = encodeMessage(frontendType.flush);

export interface WaitingParts {
  talk: Conversation;
  /** Takes messages that can be read now, in order. Throws ProtocolError. */
  accept: (type: number, bytes: Uint8Array, start: number, end: number) => void;
  toResource: ByteRuns;
  bytesMax: number;
}

/**
 * Where the client's messages come in. Keeps back those that nobody can read yet, because an answer on its way decides what they mean,
 * and all behind them. They are neither recorded nor forwarded before.
 */
export class Waiting implements SplitterTarget {
  readonly #parts: WaitingParts;
  #messages: Uint8Array[] | undefined = undefined;
  #bytes = 0;

  constructor(parts: WaitingParts) {
    this.#parts = parts;
  }

  get bytes(): number {
    return this.#bytes;
  }

  passage(type: number): Passage {
    if (!mayBeSent(type)) throw unknownType(type);
    if (type !== frontendType.copyData) return 'whole';
    return this.#parts.talk.copyIn !== undefined && this.#messages === undefined ? 'run' : 'whole';
  }

  /** Throws ProtocolError. */
  message(type: number, bytes: Uint8Array, start: number, end: number): void {
    const { talk, accept, toResource } = this.#parts;
    if (talk.isDeaf) return;
    if (this.#messages !== undefined) return this.#keep(this.#messages, bytes, start, end);
    if (!mustWait(talk, type, bytes, start, end)) return accept(type, bytes, start, end);
    // The server may keep the answer back until it is asked: no Sync can come past this message.
    if (isCopy(type)) toResource.add(flush);
    this.#messages = [];
    this.#keep(this.#messages, bytes, start, end);
  }

  /** Nothing of the client's messages streams. */
  piece(): void {}

  /** An answer came: what waited for it may be readable now. */
  resume(): void {
    if (this.#messages !== undefined) this.#resume(this.#messages);
  }

  /** The client is gone: what still waits cannot be sent any more. */
  ended(): void {
    if (this.#messages === undefined) return;
    throw new ProtocolError('client-gone', `${this.#bytes} bytes waited for an answer when the client left`);
  }

  #resume(messages: Uint8Array[]): void {
    while (messages.length > 0) {
      const message = messages[0]!;
      const type = message[0]!;
      if (mustWait(this.#parts.talk, type, message, 0, message.length)) return;
      messages.shift();
      this.#bytes -= message.length;
      this.#parts.accept(type, message, 0, message.length);
    }
    this.#messages = undefined;
  }

  #keep(messages: Uint8Array[], bytes: Uint8Array, start: number, end: number): void {
    this.#bytes += end - start;
    if (this.#bytes > this.#parts.bytesMax) {
      const what = `more than ${this.#parts.bytesMax} bytes sent ahead of an answer that decides their meaning`;
      throw new ProtocolError('too-much-waiting', what);
    }
    messages.push(Uint8Array.prototype.slice.call(bytes, start, end));
  }
}

function unknownType(type: number): ProtocolError {
  const shown =
    type >= 0x20 && type < 0x7f ? `'${String.fromCharCode(type)}'` : `0x${type.toString(16).padStart(2, '0')}`;
  return new ProtocolError('unknown-message', `a message of type ${shown} is not one that a client may send now`);
}

const isCopy = (type: number): boolean =>
  type === frontendType.copyData || type === frontendType.copyDone || type === frontendType.copyFail;

const mayAskForData = ({ kind }: Awaited): boolean => kind === 'query' || kind === 'execute';

/** True while an answer on its way decides what this message means. */
function mustWait(talk: Conversation, type: number, bytes: Uint8Array, start: number, end: number): boolean {
  if (talk.copyIn !== undefined) return false;
  // Only the server's CopyInResponse makes these part of a statement.
  if (isCopy(type)) return talk.awaited.find(mayAskForData) !== undefined;
  const { statements, portals, segment } = talk;
  const body = start + headerBytes;
  if (type === frontendType.execute) {
    if (!portals.hasUndecided(segment)) return false;
    return portals.isUndecided(portalKey(decodeExecute(bytes, body, end).portal), segment);
  }
  if (!statements.hasUndecided(segment)) return false;
  if (type === frontendType.bind)
    return statements.isUndecided(statementKey(decodeBind(bytes, body, end).statement), segment);
  if (type !== frontendType.describe) return false;
  const { what, name } = decodeTarget(bytes, body, end);
  return what === 'statement' && statements.isUndecided(statementKey(name), segment);
}
