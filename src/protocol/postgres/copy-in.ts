import { ProtocolError } from '../../shared/errors.ts';
import { ByteRuns } from '../byte-runs.ts';
import type { Sequence, StatementEvent } from '../event.ts';
import type { Conversation } from './conversation.ts';
import { decodeCopyFail, decodeEmpty, frontendType, headerBytes } from './messages.ts';
import { statementEvent } from './statement-event.ts';

/** What reading COPY data needs of those that read everything else. */
export interface CopyInParts {
  append(statement: StatementEvent): Sequence;
  terminate(bytes: Uint8Array, start: number, end: number): void;
}

/** Reads what the client sends while the server takes COPY data. */
export class CopyIn {
  readonly #talk: Conversation;
  readonly #toResource: ByteRuns;
  readonly #parts: CopyInParts;
  /** CopyData messages that are not recorded yet. */
  readonly #rows = new ByteRuns();

  constructor(talk: Conversation, toResource: ByteRuns, parts: CopyInParts) {
    this.#talk = talk;
    this.#toResource = toResource;
    this.#parts = parts;
  }

  /** Hands on the rows that were gathered. */
  flush(): void {
    if (!this.#rows.isEmpty) this.#record();
  }

  /** A whole message, or a run of CopyData. Throws ProtocolError. */
  accept(type: number, bytes: Uint8Array, start: number, end: number): void {
    if (type === frontendType.copyData) return this.#rows.add(bytes, start, end);
    const talk = this.#talk;
    const body = start + headerBytes;
    const of = talk.copyIn!;
    switch (type) {
      case frontendType.copyDone: {
        decodeEmpty(bytes, body, end);
        const done = statementEvent('copy-done', false);
        done.of = of;
        this.#parts.append(done);
        break;
      }
      case frontendType.copyFail: {
        const failed = statementEvent('copy-fail', false);
        failed.of = of;
        failed.text = decodeCopyFail(bytes, body, end);
        this.#parts.append(failed);
        break;
      }
      case frontendType.flush:
        return decodeEmpty(bytes, body, end); // the server ignores it during a COPY
      case frontendType.sync:
        return this.#syncAhead(bytes, start, end);
      case frontendType.terminate:
        return this.#parts.terminate(bytes, start, end);
      default:
        throw new ProtocolError('message-during-copy', 'only COPY data may be sent until the COPY is done');
    }
    this.#toResource.add(bytes, start, end);
    talk.copyIn = undefined;
  }

  /** The server ignores it too, unless the COPY has failed by now: then it answers. */
  #syncAhead(bytes: Uint8Array, start: number, end: number): void {
    decodeEmpty(bytes, start + headerBytes, end);
    this.#parts.append(statementEvent('sync', false));
    this.#toResource.add(bytes, start, end);
    this.#talk.head!.syncsAhead++;
  }

  #record(): void {
    for (const bytes of this.#rows.take()) {
      this.#talk.sink.append({ kind: 'data', of: this.#talk.copyIn!, bytes });
      this.#toResource.add(bytes);
    }
  }
}

/** CopyDone or CopyFail where nobody will read it. */
export function checkCopyEnd(type: number, bytes: Uint8Array, start: number, end: number): void {
  if (type === frontendType.copyDone) decodeEmpty(bytes, start, end);
  if (type === frontendType.copyFail) decodeCopyFail(bytes, start, end);
}
