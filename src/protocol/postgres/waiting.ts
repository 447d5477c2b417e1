import { ProtocolError } from '../../shared/errors.ts';
import type { Conversation } from './conversation.ts';
import { decodeBind, decodeExecute, decodeTarget, encodeMessage, frontendType, headerBytes } from './messages.ts';
import { portalKey, statementKey } from './names.ts';

/** Makes the server say what it has to say; no answer of its own. */
export const flush = encodeMessage(frontendType.flush);

export interface WaitingParts {
  talk: Conversation;
  /** Takes messages that can be read now, in order. Throws ProtocolError. */
  accept: (type: number, message: Uint8Array) => void;
  /** Takes bytes for the server. */
  forward: (bytes: Uint8Array) => void;
  bytesMax: number;
}

/**
 * Keeps back messages that nobody can read yet, because an answer on its way decides what they mean, and all behind them. They are
 * neither recorded nor forwarded before.
 */
export class Waiting {
  readonly #parts: WaitingParts;
  readonly #messages: Uint8Array[] = [];
  #bytes = 0;

  constructor(parts: WaitingParts) {
    this.#parts = parts;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** A whole message of the client. Throws ProtocolError. */
  take(type: number, message: Uint8Array): void {
    if (this.#messages.length > 0) return this.#keep(message);
    if (!mustWait(this.#parts.talk, type, message)) return this.#parts.accept(type, message);
    // The server may keep the answer back until it is asked: no Sync can come past this message.
    if (isCopy(type)) this.#parts.forward(flush);
    this.#keep(message);
  }

  /** An answer came: what waited for it may be readable now. */
  resume(): void {
    while (this.#messages.length > 0) {
      const message = this.#messages[0]!;
      const type = message[0]!;
      if (mustWait(this.#parts.talk, type, message)) break;
      this.#messages.shift();
      this.#bytes -= message.length;
      this.#parts.accept(type, message);
    }
  }

  /** The client is gone: what still waits cannot be sent any more. */
  ended(): void {
    if (this.#messages.length === 0) return;
    throw new ProtocolError('client-gone', `${this.#bytes} bytes waited for an answer when the client left`);
  }

  #keep(message: Uint8Array): void {
    this.#bytes += message.length;
    if (this.#bytes > this.#parts.bytesMax) {
      const what = `more than ${this.#parts.bytesMax} bytes sent ahead of an answer that decides their meaning`;
      throw new ProtocolError('too-much-waiting', what);
    }
    this.#messages.push(Uint8Array.prototype.slice.call(message));
  }
}

const isCopy = (type: number): boolean =>
  type === frontendType.copyData || type === frontendType.copyDone || type === frontendType.copyFail;

/** True while an answer on its way decides what this message means. */
function mustWait({ statements, portals, segment, copyIn, awaited }: Conversation, type: number, message: Uint8Array) {
  if (copyIn !== undefined) return false;
  // Only the server's CopyInResponse makes these part of a statement.
  if (isCopy(type)) return awaited.some(({ kind }) => kind === 'query' || kind === 'execute');
  const body = message.subarray(headerBytes);
  if (type === frontendType.execute) {
    return portals.hasUndecided(segment) && portals.isUndecided(portalKey(decodeExecute(body).portal), segment);
  }
  if (!statements.hasUndecided(segment)) return false;
  if (type === frontendType.bind) return statements.isUndecided(statementKey(decodeBind(body).statement), segment);
  if (type !== frontendType.describe) return false;
  const { what, name } = decodeTarget(body);
  return what === 'statement' && statements.isUndecided(statementKey(name), segment);
}
