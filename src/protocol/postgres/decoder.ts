import { ProtocolError } from '../../shared/errors.ts';
import { ByteRuns } from '../byte-runs.ts';
import type { Decoder, DecoderOptions, Step, StreamEnd } from '../protocol.ts';
import { Answers } from './answers.ts';
import { Conversation } from './conversation.ts';
import { encodeErrorResponse, frontendType, headerBytes } from './messages.ts';
import { Questions } from './questions.ts';
import { Splitter } from './splitter.ts';
import { sqlStateOf } from './sql-state.ts';

/** What a client may send once it is logged in; everything else is refused, never skipped. */
const allowed = new Set<number>([
  frontendType.bind,
  frontendType.close,
  frontendType.copyData,
  frontendType.copyDone,
  frontendType.copyFail,
  frontendType.describe,
  frontendType.execute,
  frontendType.flush,
  frontendType.functionCall,
  frontendType.parse,
  frontendType.query,
  frontendType.sync,
  frontendType.terminate,
]);

export const createDecoder = (options: DecoderOptions): Decoder => new PostgresDecoder(options);

/** One stream after the login: cuts both directions into messages and lets `Questions` and `Answers` say what becomes of them. */
class PostgresDecoder implements Decoder {
  readonly #talk: Conversation;
  readonly #questions: Questions;
  readonly #fromClient: Splitter;
  readonly #fromResource: Splitter;
  #step: Step = emptyStep();
  readonly #toResource = new ByteRuns((bytes) => this.#step.toResource.push(bytes));
  readonly #toClient = new ByteRuns((bytes) => this.#step.toClient.push(bytes));
  #isClientGone = false;
  #isOver = false;

  constructor({ sink, clock, messageBytesMax, greeting }: DecoderOptions) {
    this.#talk = new Conversation(sink, clock);
    this.#questions = new Questions(this.#talk, (bytes) => this.#toResource.add(bytes), messageBytesMax);
    const answers = new Answers(this.#talk, (bytes) => this.#toClient.add(bytes));
    this.#fromClient = new Splitter(
      {
        streams: (type) => this.#checkType(type),
        message: (type, message) => this.#questions.take(type, message),
        piece: () => undefined,
      },
      messageBytesMax,
    );
    this.#fromResource = new Splitter(
      {
        streams: (type) => answers.streams(type),
        message: (type, message) => answers.message(type, message),
        piece: (_type, bytes) => answers.piece(bytes),
      },
      messageBytesMax,
    );
    this.#readGreeting(greeting, messageBytesMax);
  }

  get heldBytes(): number {
    return this.#fromClient.heldBytes + this.#fromResource.heldBytes + this.#questions.waitingBytes;
  }

  client(chunk: Uint8Array): Step {
    return this.#run(() => {
      this.#fromClient.push(chunk);
      this.#questions.endOfChunk();
    });
  }

  resource(chunk: Uint8Array): Step {
    return this.#run(() => {
      this.#fromResource.push(chunk);
      this.#talk.head?.result?.digesting.flush(); // before the chunk passes on to others
      this.#questions.resume();
    });
  }

  clientEnded(): Step {
    this.#isClientGone = true;
    return this.#run(() => {
      if (!this.#fromClient.isBetween) throw new ProtocolError('truncated', 'the connection ended inside a message');
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
      if (isListening) this.#toClient.add(encodeErrorResponse({ severity: 'FATAL', code: sqlStateOf(code), message }));
      this.#end({ by: 'refused', reason: code });
    });
  }

  cancel(): boolean {
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
      if (!(error instanceof ProtocolError)) throw error;
      this.#refuse(error);
    }
    this.#toResource.flush();
    this.#toClient.flush();
    return this.#step;
  }

  #refuse({ reason, message }: ProtocolError): void {
    this.#talk.sink.append({ kind: 'refusal', reason, message });
    this.#talk.loseAll();
    this.#toClient.add(
      encodeErrorResponse({
        severity: 'FATAL',
        code: '08P01',
        message: `hoop refused this connection's bytes: ${message}`,
        hint: 'What cannot be decoded cannot be recorded, and what cannot be recorded is not forwarded. Connect again.',
      }),
    );
    this.#end({ by: 'refused', reason });
  }

  #end(end: StreamEnd): void {
    this.#step.end = end;
    this.#isOver = true;
  }

  #checkType(type: number): false {
    if (allowed.has(type)) return false;
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
