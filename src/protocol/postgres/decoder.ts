import { ProtocolError } from '../../shared/errors.ts';
import { ByteRuns } from '../byte-runs.ts';
import type { Sequence } from '../event.ts';
import type { Decoder, DecoderOptions, Step, StreamEnd } from '../protocol.ts';
import { Answers } from './answers.ts';
import { mayBeSent, runsNothing } from './client-messages.ts';
import { Conversation } from './conversation.ts';
import { encodeErrorResponse, headerBytes, type ErrorFields } from './messages.ts';
import { Questions } from './questions.ts';
import { Redactor } from './redaction.ts';
import { Splitter } from './splitter.ts';
import { sqlStateOf } from './sql-state.ts';
import { flush, Waiting } from './waiting.ts';

export const createDecoder = (options: DecoderOptions): Decoder => new PostgresDecoder(options);

/** One stream after the login: cuts both directions into messages and lets `Questions` and `Answers` say what becomes of them. */
class PostgresDecoder implements Decoder {
  readonly #talk: Conversation;
  readonly #questions: Questions;
  readonly #waiting: Waiting;
  readonly #fromClient: Splitter;
  readonly #fromResource: Splitter;
  #step: Step = emptyStep();
  readonly #toResource = new ByteRuns((bytes) => this.#step.toResource.push(bytes));
  readonly #toClient = new ByteRuns((bytes) => this.#step.toClient.push(bytes));
  #isClientGone = false;
  #isOver = false;
  /** Set while the gateway stops: nothing new is taken. */
  #stopping: { code: string; message: string } | undefined;
  /** Something was refused because of that; what the client sends behind it builds on it and is not even read. */
  #isDeaf = false;

  constructor({ sink, clock, messageBytesMax, greeting, results, redact, randomBytes }: DecoderOptions) {
    this.#talk = new Conversation(sink, clock, results);
    const forward = (bytes: Uint8Array) => this.#toResource.add(bytes);
    this.#questions = new Questions(this.#talk, forward, {
      messageBytesMax,
      redactor: new Redactor({ redact, randomBytes }),
    });
    this.#waiting = new Waiting({
      talk: this.#talk,
      accept: (type, message) => this.#accept(type, message),
      forward,
      bytesMax: messageBytesMax,
    });
    const answers = new Answers(this.#talk, (bytes) => this.#toClient.add(bytes));
    this.#fromClient = new Splitter(
      {
        streams: (type) => this.#checkType(type),
        message: (type, message) => {
          if (!this.#isDeaf) this.#waiting.take(type, message);
        },
        piece: () => undefined,
      },
      messageBytesMax,
    );
    this.#fromResource = new Splitter(
      {
        streams: (type) => answers.streams(type),
        message: (type, message) => {
          if (this.#isOver) return;
          answers.message(type, message);
          // At every message: what it allows, and where it stands in the record, must not depend on how the bytes were cut.
          this.#waiting.resume();
          this.#questions.endOfChunk();
          this.#endIfDrained();
        },
        piece: (_type, bytes, last) => answers.piece(bytes, last),
      },
      messageBytesMax,
    );
    this.#readGreeting(greeting, messageBytesMax);
  }

  get heldBytes(): number {
    if (this.#isOver) return 0; // nothing of it is used any more
    if (this.#isDeaf) return this.#fromResource.heldBytes;
    return this.#fromClient.heldBytes + this.#fromResource.heldBytes + this.#waiting.bytes;
  }

  get inTransaction(): boolean {
    return this.#talk.transaction !== 'I';
  }

  awaits(of: Sequence): boolean {
    return this.#talk.awaited.some(({ entry }) => entry === of);
  }

  client(chunk: Uint8Array): Step {
    return this.#run(() => {
      if (!this.#isDeaf) this.#hear(chunk);
      this.#questions.endOfChunk();
      this.#endIfDrained();
    });
  }

  resource(chunk: Uint8Array): Step {
    return this.#run(() => {
      this.#fromResource.push(chunk);
      this.#talk.head?.result?.digesting.flush(); // before the chunk passes on to others
    });
  }

  clientEnded(): Step {
    this.#isClientGone = true;
    return this.#run(() => {
      if (this.#isDeaf) return;
      if (!this.#fromClient.isBetween) throw new ProtocolError('truncated', 'the connection ended inside a message');
      this.#waiting.ended();
    });
  }

  resourceEnded(): Step {
    return this.#run(() => {
      this.#talk.loseAll();
      const isClient = this.#isClientGone || this.#questions.isTerminated;
      this.#end({ by: isClient ? 'client' : 'resource', reason: isClient ? 'client-closed' : 'resource-closed' });
    });
  }

  abort(code: string, message: string): Step {
    return this.#run(() => {
      this.#talk.loseAll();
      // Whoever said goodbye gets no error after it.
      const isListening = !this.#isClientGone && !this.#questions.isTerminated;
      if (isListening) this.#tell({ severity: 'FATAL', code: sqlStateOf(code), message });
      this.#end({ by: 'refused', reason: code });
    });
  }

  drain(code: string, message: string): Step {
    return this.#run(() => {
      this.#stopping = { code, message };
      this.#endIfDrained();
    });
  }

  cancel(): boolean {
    if (this.#isOver) return false;
    const running = this.#talk.awaited.find((item) => item.expectsOutcome);
    this.#talk.sink.append({ kind: 'cancel', ...(running ? { of: running.entry } : {}) });
    if (running) this.#talk.cancelWanted = true;
    return running !== undefined;
  }

  /** Nothing is taken after the end; a fault of either side ends the stream with a refusal. */
  #run(act: () => void): Step {
    this.#step = emptyStep();
    if (this.#isOver) return this.#step;
    try {
      act();
    } catch (error) {
      if (error instanceof ProtocolError) this.#refuse(error);
      else {
        this.#takeStep(); // the record failed in the middle: nothing of this goes anywhere, now or later
        throw error;
      }
    }
    return this.#takeStep();
  }

  #takeStep(): Step {
    this.#toResource.flush();
    this.#toClient.flush();
    if (this.#talk.hasKept) this.#step.recordFirst = true;
    this.#talk.hasKept = false;
    return this.#step;
  }

  /** What stands behind a refused statement is not read, whatever it is, also where it came in one chunk with it. */
  #hear(chunk: Uint8Array): void {
    try {
      this.#fromClient.push(chunk);
    } catch (error) {
      if (!this.#isDeaf || !(error instanceof ProtocolError)) throw error;
    }
  }

  #accept(type: number, message: Uint8Array): void {
    if (this.#isDeaf) return;
    const isTaken = !this.#stopping || this.#talk.copyIn !== undefined || runsNothing.has(type);
    if (isTaken) return this.#questions.accept(type, message);
    const { code, message: errorMessage } = this.#stopping!;
    this.#questions.refuse(type, message, { errorCode: sqlStateOf(code), errorMessage });
    this.#isDeaf = true;
    this.#toResource.add(flush); // no Sync comes past this any more
  }

  /** A Sync that is not answered yet may be a commit. */
  #endIfDrained(): void {
    if (!this.#stopping || this.#isOver) return;
    if (this.#waiting.bytes > 0 && !this.#isDeaf) return;
    if (this.#talk.awaited.some(({ expectsOutcome, kind }) => expectsOutcome || kind === 'sync')) return;
    this.#tell({ severity: 'FATAL', code: sqlStateOf(this.#stopping.code), message: this.#stopping.message });
    this.#end({ by: 'refused', reason: this.#stopping.code });
  }

  #refuse({ reason, message }: ProtocolError): void {
    if (this.#isOver) return; // it stands behind the last answer of a stream that was drained
    this.#questions.endOfChunk(); // what came before the fault was good
    this.#talk.sink.append({ kind: 'refusal', reason, message });
    this.#talk.loseAll();
    this.#tell({
      severity: 'FATAL',
      code: '08P01',
      message: `hoop refused this connection's bytes: ${message}`,
      hint: 'What cannot be decoded cannot be recorded, and what cannot be recorded is not forwarded. Connect again.',
    });
    this.#end({ by: 'refused', reason });
  }

  /** In the middle of a row that is on its way to the client, an error would be taken for a piece of the row. */
  #tell(error: ErrorFields): void {
    if (!this.#fromResource.isStreaming) this.#toClient.add(encodeErrorResponse(error));
  }

  #end(end: StreamEnd): void {
    this.#step.end = end;
    this.#isOver = true;
  }

  #checkType(type: number): false {
    if (mayBeSent.has(type)) return false;
    const shown =
      type >= 0x20 && type < 0x7f ? `'${String.fromCharCode(type)}'` : `0x${type.toString(16).padStart(2, '0')}`;
    throw new ProtocolError('unknown-message', `a message of type ${shown} is not one that a client may send now`);
  }

  /** The greeting is ParameterStatus messages and a ReadyForQuery, which the login checked: it sets the initial state. */
  #readGreeting(greeting: Uint8Array, messageBytesMax: number): void {
    const initial = new Splitter(
      {
        streams: () => false,
        message: (_type, message) => this.#talk.greet(message),
        piece: () => undefined,
      },
      messageBytesMax,
    );
    if (greeting.length >= headerBytes) initial.push(greeting);
  }
}

const emptyStep = (): Step => ({ toResource: [], toClient: [], end: null });
