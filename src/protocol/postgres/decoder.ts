import { ProtocolError } from '../../shared/errors.ts';
import { ByteRuns } from '../byte-runs.ts';
import type { Sequence } from '../event.ts';
import type { Decoder, DecoderOptions, Step, StreamEnd } from '../protocol.ts';
import { Answers } from './answers.ts';
import type { Awaited } from './awaited.ts';
import { runsNothing } from './client-messages.ts';
import { Conversation } from './conversation.ts';
import { encodeErrorResponse, headerBytes, type ErrorFields } from './messages.ts';
import { Questions } from './questions.ts';
import { Redactor } from './redaction.ts';
import { Splitter, wholeMessages } from './splitter.ts';
import { sqlStateOf } from './sql-state.ts';
import { flush, Waiting } from './waiting.ts';

export const createDecoder = (options: DecoderOptions): Decoder => new PostgresDecoder(options);

const hasOutcome = ({ expectsOutcome }: Awaited): boolean => expectsOutcome;
/** A Sync that is not answered yet may be a commit. */
const mayChange = ({ expectsOutcome, kind }: Awaited): boolean => expectsOutcome || kind === 'sync';

/** One stream after the login: cuts both directions into messages and lets `Questions` and `Answers` say what becomes of them. */
class PostgresDecoder implements Decoder {
  readonly #talk: Conversation;
  readonly #questions: Questions;
  readonly #waiting: Waiting;
  readonly #fromClient: Splitter;
  readonly #fromResource: Splitter;
  readonly #toResource = new ByteRuns();
  readonly #toClient = new ByteRuns();
  #isClientGone = false;
  /** Why the stream is over, until the step that says so. */
  #ending: StreamEnd | null = null;
  /** Set while the gateway stops: nothing new is taken. */
  #stopping: { code: string; message: string } | undefined = undefined;

  constructor({ sink, clock, messageBytesMax, greeting, results, redact, randomBytes }: DecoderOptions) {
    const talk = new Conversation(sink, clock, results);
    this.#talk = talk;
    this.#questions = new Questions(talk, this.#toResource, {
      messageBytesMax,
      redactor: new Redactor({ redact, randomBytes }),
    });
    this.#waiting = new Waiting({
      talk,
      accept: (type, bytes, start, end) => this.#accept(type, bytes, start, end),
      toResource: this.#toResource,
      bytesMax: messageBytesMax,
    });
    const answers = new Answers(talk, this.#toClient, () => this.#answered());
    this.#fromClient = new Splitter(this.#waiting, messageBytesMax);
    this.#fromResource = new Splitter(answers, messageBytesMax);
    // ParameterStatus messages and a ReadyForQuery, which the login checked: the initial state.
    if (greeting.length < headerBytes) return;
    new Splitter(
      wholeMessages((_type, message) => talk.greet(message)),
      messageBytesMax,
    ).push(greeting);
  }

  get heldBytes(): number {
    if (this.#talk.isOver) return 0; // nothing of it is used any more
    if (this.#talk.isDeaf) return this.#fromResource.heldBytes;
    return this.#fromClient.heldBytes + this.#fromResource.heldBytes + this.#waiting.bytes;
  }

  get inTransaction(): boolean {
    return this.#talk.transaction !== 'I';
  }

  awaits(of: Sequence): boolean {
    return this.#talk.awaited.find(({ entry }) => entry === of) !== undefined;
  }

  client(chunk: Uint8Array): Step {
    const talk = this.#talk;
    if (talk.isOver) return noStep();
    talk.begin();
    try {
      if (!talk.isDeaf) this.#hear(chunk);
      this.#questions.endOfChunk();
      this.#endIfDrained();
    } catch (error) {
      this.#fail(error);
    }
    return this.#takeStep();
  }

  resource(chunk: Uint8Array): Step {
    const talk = this.#talk;
    if (talk.isOver) return noStep();
    talk.begin();
    try {
      this.#fromResource.push(chunk);
      talk.head?.result?.flush(); // before the chunk passes on to others
    } catch (error) {
      this.#fail(error);
    }
    return this.#takeStep();
  }

  clientEnded(): Step {
    this.#isClientGone = true;
    return this.#run(() => {
      if (this.#talk.isDeaf) return;
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
    if (this.#talk.isOver) return false;
    const running = this.#talk.awaited.find(hasOutcome);
    this.#talk.sink.append({ kind: 'cancel', ...(running ? { of: running.entry } : {}) });
    if (running) this.#talk.cancelWanted = true;
    return running !== undefined;
  }

  /** Nothing is taken after the end; a fault of either side ends the stream with a refusal. */
  #run(act: () => void): Step {
    if (this.#talk.isOver) return noStep();
    this.#talk.begin();
    try {
      act();
    } catch (error) {
      this.#fail(error);
    }
    return this.#takeStep();
  }

  #fail(error: unknown): void {
    try {
      if (!(error instanceof ProtocolError)) throw error;
      this.#refuse(error);
    } catch (failure) {
      this.#takeStep(); // the record failed in the middle: nothing of this goes anywhere, now or later
      throw failure;
    }
  }

  #takeStep(): Step {
    const talk = this.#talk;
    const step: Step = {
      toResource: this.#toResource.take(),
      toClient: this.#toClient.take(),
      end: this.#ending,
      recordFirst: talk.hasKept ? true : undefined,
    };
    this.#ending = null;
    talk.hasKept = false;
    return step;
  }

  /** What stands behind a refused statement is not read, whatever it is, also where it came in one chunk with it. */
  #hear(chunk: Uint8Array): void {
    try {
      this.#fromClient.push(chunk);
    } catch (error) {
      if (!this.#talk.isDeaf || !(error instanceof ProtocolError)) throw error;
    }
  }

  #accept(type: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.#talk.isDeaf) return;
    const isTaken = this.#stopping === undefined || this.#talk.copyIn !== undefined || runsNothing(type);
    if (isTaken) return this.#questions.accept(type, bytes, start, end);
    const { code, message: errorMessage } = this.#stopping!;
    this.#questions.refuse({ errorCode: sqlStateOf(code), errorMessage }, type, bytes, start, end);
    this.#talk.isDeaf = true;
    this.#toResource.add(flush); // no Sync comes past this any more
  }

  /** At every message: what it allows, and where it stands in the record, must not depend on how the bytes were cut. */
  #answered(): void {
    this.#waiting.resume();
    this.#questions.endOfChunk();
    this.#endIfDrained();
  }

  #endIfDrained(): void {
    if (this.#stopping === undefined || this.#talk.isOver) return;
    if (this.#waiting.bytes > 0 && !this.#talk.isDeaf) return;
    if (this.#talk.awaited.find(mayChange)) return;
    this.#tell({ severity: 'FATAL', code: sqlStateOf(this.#stopping.code), message: this.#stopping.message });
    this.#end({ by: 'refused', reason: this.#stopping.code });
  }

  #refuse({ reason, message }: ProtocolError): void {
    if (this.#talk.isOver) return; // it stands behind the last answer of a stream that was drained
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
    this.#ending = end;
    this.#talk.isOver = true;
  }
}

const noStep = (): Step => ({ toResource: [], toClient: [], end: null, recordFirst: undefined });
