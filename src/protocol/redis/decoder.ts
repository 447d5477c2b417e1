import { ProtocolError } from '../../shared/errors.ts';
import { ByteRuns } from '../byte-runs.ts';
import type { Decoder, DecoderOptions, Step, StreamEnd } from '../protocol.ts';
import { Answers } from './answers.ts';
import { CommandCutter } from './command-cutter.ts';
import { Conversation } from './conversation.ts';
import { encodeError } from './messages.ts';
import { Questions } from './questions.ts';
import { ReplyParser } from './reply-parser.ts';

export const createDecoder = (options: DecoderOptions): Decoder => new RedisDecoder(options);

/** One stream after the login: cuts both directions and lets `Questions` and `Answers` say what becomes of the pieces. */
class RedisDecoder implements Decoder {
  readonly #talk: Conversation;
  readonly #questions: Questions;
  readonly #commands: CommandCutter;
  readonly #replies: ReplyParser;
  readonly #toResource = new ByteRuns();
  readonly #toClient = new ByteRuns();
  /** Why the stream is over, until the step that says so. */
  #ending: StreamEnd | null = null;
  #isClientGone = false;
  #isOver = false;

  constructor({ sink, clock, messageBytesMax, greeting, ...login }: DecoderOptions) {
    const tell = (bytes: Uint8Array) => this.#toClient.add(bytes);
    this.#talk = new Conversation(sink, clock, tell);
    this.#talk.version = greeting[0] === 0x25 ? 3 : 2; // the server's answer to HELLO: a map in RESP3
    this.#questions = new Questions(this.#talk, (bytes) => this.#toResource.add(bytes), login);
    this.#commands = new CommandCutter(messageBytesMax);
    this.#replies = new ReplyParser(new Answers(this.#talk, tell), messageBytesMax);
  }

  get heldBytes(): number {
    return this.#commands.heldBytes + this.#replies.heldBytes;
  }

  client(chunk: Uint8Array): Step {
    return this.#run(() => {
      if (this.#questions.isOver) return;
      this.#commands.push(chunk);
      const isOver = () => this.#questions.isOver || this.#talk.isOver; // the server, too, reads nothing behind QUIT
      for (let command = this.#commands.next(); command; command = isOver() ? undefined : this.#commands.next())
        this.#questions.take(command);
    });
  }

  resource(chunk: Uint8Array): Step {
    return this.#run(() => this.#replies.push(chunk));
  }

  clientEnded(): Step {
    this.#isClientGone = true;
    return this.#run(() => {
      if (this.#questions.isOver || this.#commands.heldBytes === 0) return;
      throw new ProtocolError('truncated', 'the connection ended inside a command');
    });
  }

  resourceEnded(): Step {
    return this.#run(() => {
      this.#talk.loseAll();
      const by = this.#isClientGone ? 'client' : 'resource';
      this.#end({ by, reason: `${by}-closed` });
    });
  }

  abort(code: string, message: string): Step {
    return this.#run(() => {
      this.#lose('ERR', message);
      this.#end({ by: 'refused', reason: code });
    });
  }

  drain(code: string, message: string): Step {
    return this.#run(() => {
      const complaint = { code: 'ERR', message: `hoop: ${message}; it was not forwarded` };
      this.#talk.stopping = { reason: code, complaint };
    });
  }

  cancel(): boolean {
    if (this.#isOver) return false;
    const { head, sink } = this.#talk;
    sink.append({ kind: 'cancel', ...(head ? { of: head.entry } : {}) });
    return head !== undefined;
  }

  /** Nothing is taken after the end; a fault of either side ends the stream with a refusal. */
  #run(act: () => void): Step {
    if (this.#isOver) return { toResource: [], toClient: [], end: null };
    try {
      act();
      this.#endIfDone();
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
    const step: Step = { toResource: this.#toResource.take(), toClient: this.#toClient.take(), end: this.#ending };
    this.#ending = null;
    return step;
  }

  #endIfDone(): void {
    const { isOver, end, stopping } = this.#talk;
    if (!isOver || this.#isOver) return;
    this.#talk.loseAll();
    this.#end(end ?? { by: 'refused', reason: stopping!.reason });
  }

  #refuse({ reason, message }: ProtocolError): void {
    this.#talk.sink.append({ kind: 'refusal', reason, message });
    this.#lose(
      'ERR',
      `hoop refused this connection's bytes: ${message}. What cannot be decoded is not forwarded; connect again.`,
      true,
    );
    this.#end({ by: 'refused', reason });
  }

  /**
   * Outcomes become unknown. An error of ours goes to a client that waits for an answer, or sent what is at fault; to others it would be
   * an answer that they did not ask for, and in the middle of an answer it would be taken for a piece of that.
   */
  #lose(code: string, message: string, isAtFault = false): void {
    const isWaiting = this.#talk.head !== undefined || isAtFault;
    this.#talk.loseAll();
    if (isWaiting && !this.#isClientGone && !this.#replies.isInside) this.#toClient.add(encodeError(code, message));
  }

  #end(end: StreamEnd): void {
    this.#ending = end;
    this.#isOver = true;
  }
}
