import { ProtocolError } from '../../shared/errors.ts';
import { ByteRuns } from '../byte-runs.ts';
import type { Sequence, StatementEvent } from '../event.ts';
import type { Conversation } from './conversation.ts';
import { decodeCopyFail, decodeEmpty, frontendType, headerBytes } from './messages.ts';

export interface CopyInParts {
  talk: Conversation;
  append: (statement: StatementEvent) => Sequence;
  forward: (bytes: Uint8Array) => void;
  terminate: (message: Uint8Array, body: Uint8Array) => void;
}

/** Reads what the client sends while the server takes COPY data. */
export class CopyIn {
  readonly #parts: CopyInParts;
  /** A run of CopyData messages that lie one behind the other in a chunk. */
  readonly #rows = new ByteRuns((bytes) => this.#record(bytes));

  constructor(parts: CopyInParts) {
    this.#parts = parts;
  }

  /** Hands on the rows that were gathered. */
  flush(): void {
    this.#rows.flush();
  }

  /** A whole message. Throws ProtocolError. */
  accept(type: number, message: Uint8Array): void {
    const { talk, append, forward, terminate } = this.#parts;
    const of = talk.copyIn!;
    const body = message.subarray(headerBytes);
    switch (type) {
      case frontendType.copyData:
        return this.#rows.add(message);
      case frontendType.copyDone:
        decodeEmpty(body);
        append({ kind: 'statement', verb: 'copy-done', expectsOutcome: false, of });
        break;
      case frontendType.copyFail:
        append({ kind: 'statement', verb: 'copy-fail', expectsOutcome: false, of, text: decodeCopyFail(body) });
        break;
      case frontendType.flush:
        return decodeEmpty(body); // the server ignores it during a COPY
      case frontendType.sync:
        return this.#syncAhead(message, body);
      case frontendType.terminate:
        return terminate(message, body);
      default:
        throw new ProtocolError('message-during-copy', 'only COPY data may be sent until the COPY is done');
    }
    forward(message);
    talk.copyIn = undefined;
  }

  /** The server ignores it too, unless the COPY has failed by now: then it answers. */
  #syncAhead(message: Uint8Array, body: Uint8Array): void {
    const { talk, append, forward } = this.#parts;
    decodeEmpty(body);
    append({ kind: 'statement', verb: 'sync', expectsOutcome: false });
    forward(message);
    const head = talk.head!;
    head.syncsAhead++;
  }

  #record(bytes: Uint8Array): void {
    const { talk, forward } = this.#parts;
    talk.sink.append({ kind: 'data', of: talk.copyIn!, bytes });
    forward(bytes);
  }
}
