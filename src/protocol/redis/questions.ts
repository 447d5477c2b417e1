import { randomBytes } from 'node:crypto';
import type { Sequence, StatementEvent } from '../event.ts';
import type { DecoderOptions, LocalCredential, StreamEnd } from '../protocol.ts';
import type { Command } from './command-cutter.ts';
import { isContainer, nameOf, subcommandOf, whyRefused } from './commands.ts';
import type { Awaited, Conversation } from './conversation.ts';
import { isComplaint, parseAuth, parseHello, proves, wrongPassword, type Complaint, type Login } from './login.ts';
import { encodeCommand, encodeError, encodeSimple } from './messages.ts';
import { redact } from './redaction.ts';
import { renderCommand } from './render.ts';
import { isSubscription } from './subscriptions.ts';

const quit: StreamEnd = { by: 'client', reason: 'client-closed' };
/** No script has it: the server says of it what it says of one that it does not have. */
const noScript = '0'.repeat(40);
const unknownScript: Complaint = {
  code: 'NOSCRIPT',
  message:
    'No matching script. Please use EVAL. (hoop records what runs: it has to see the body once on each connection)',
};
const unknownFunction: Complaint = {
  code: 'ERR',
  message:
    'Function not found: hoop knows functions whose library this connection has loaded; send FUNCTION LOAD REPLACE first',
};

/** With arguments, server versions differ in whether the transaction goes on. */
const argumentless: ReadonlySet<string> = new Set(['multi', 'exec', 'discard']);

/** What is known of a command that is forwarded, besides its words. */
interface SentFacts {
  /** The entry that has the script or library which it names. */
  of?: Sequence | undefined;
  resolved?: false;
  isDiscarded?: true;
}

/** What a client sends, one command after the other: recorded whole, then forwarded or answered by the gateway itself. */
export class Questions {
  readonly #talk: Conversation;
  readonly #forward: (bytes: Uint8Array) => void;
  readonly #credential: LocalCredential | undefined;
  readonly #randomBytes: (size: number) => Uint8Array;
  /** QUIT was said: nothing behind it is read. */
  isOver = false;

  constructor(
    talk: Conversation,
    forward: (bytes: Uint8Array) => void,
    { credential, randomBytes: random }: Pick<DecoderOptions, 'credential' | 'randomBytes'>,
  ) {
    this.#talk = talk;
    this.#forward = forward;
    this.#credential = credential;
    this.#randomBytes = random ?? randomBytes;
  }

  take({ words, bytes }: Command): void {
    this.#talk.checkRoom();
    const name = nameOf(words);
    if (name === 'quit') return this.#quit(words);
    if (this.#talk.stopping) return this.#refuse(words, this.#talk.stopping.complaint);
    if (name === 'auth') return this.#auth(words);
    if (name === 'hello') return this.#hello(words);
    const complaint = this.#complaintOf(name, words);
    if (complaint) return this.#refuse(words, complaint);
    switch (name) {
      case 'eval':
      case 'eval_ro':
      case 'script':
        return this.#script(words, bytes);
      case 'evalsha':
      case 'evalsha_ro':
        return this.#send(words, bytes, { of: words[1] && this.#talk.scripts.bodyOf(words[1]) });
      case 'fcall':
      case 'fcall_ro':
        return this.#send(words, bytes, { of: words[1] && this.#talk.scripts.libraryOf(words[1]), resolved: false });
      case 'multi':
        this.#talk.inTransaction = true;
        return this.#send(words, bytes);
      case 'exec':
      case 'discard':
        return this.#endTransaction(name, words, bytes);
      default:
        return this.#send(words, bytes);
    }
  }

  /** What is not understood, or would answer in a way that nobody could pair, is not forwarded. */
  #complaintOf(name: string, words: readonly Uint8Array[]): Complaint | undefined {
    const why = whyRefused(words);
    if (why !== undefined) return refused(words, why);
    const { inTransaction, scripts } = this.#talk;
    if (argumentless.has(name) && words.length > 1)
      return { code: 'ERR', message: `wrong number of arguments for '${name}' command` };
    if (inTransaction && isSubscription(name))
      return refused(words, 'a subscription answers more than once; send it outside of MULTI');
    const [, what] = words;
    if (!what) return undefined; // the server says what is missing
    if (name.startsWith('evalsha') && scripts.bodyOf(what) === undefined) return unknownScript;
    if (name.startsWith('fcall') && scripts.libraryOf(what) === undefined) return unknownFunction;
    return undefined;
  }

  // ── answered here ─────────────────────────────────────────────────────────

  #quit(words: readonly Uint8Array[]): void {
    this.#answer(words, encodeSimple('OK'), { tag: 'OK' }, quit);
    this.isOver = true;
  }

  #auth(words: readonly Uint8Array[]): void {
    const login = parseAuth(words);
    const complaint = this.#wrong(login);
    if (complaint) return this.#refuse(words, complaint);
    this.#answer(words, encodeSimple('OK'), { tag: 'OK' });
  }

  /** The version is the server's to change; the login is not. */
  #hello(words: readonly Uint8Array[]): void {
    const hello = parseHello(words);
    const complaint = isComplaint(hello) ? hello : hello.login && this.#wrong(hello.login);
    if (complaint || isComplaint(hello)) return this.#refuse(words, complaint!);
    if (this.#talk.inTransaction)
      return this.#refuse(words, refused(words, 'it changes the protocol; send it outside of MULTI'));
    const { version, name } = hello;
    const parts = ['HELLO', ...(version ? [String(version)] : []), ...(name ? ['SETNAME', name] : [])];
    this.#send(words, encodeCommand(parts));
  }

  #wrong(login: Login | Complaint): Complaint | undefined {
    if (isComplaint(login)) return login;
    return this.#credential && proves(login, this.#credential) ? undefined : wrongPassword;
  }

  #refuse(words: readonly Uint8Array[], { code, message }: Complaint): void {
    const entry = this.#record(words);
    this.#talk.sink.append({ kind: 'outcome', of: entry, status: 'refused', errorCode: code, errorMessage: message });
    if (this.#talk.inTransaction) this.#talk.isSpoilt = true;
    this.#expect(words, entry, { own: encodeError(code, message) });
  }

  #answer(words: readonly Uint8Array[], own: Uint8Array, { tag }: { tag: string }, ends?: StreamEnd): void {
    const entry = this.#record(words);
    this.#talk.sink.append({ kind: 'outcome', of: entry, status: 'ok', tag });
    this.#expect(words, entry, { own, ...(ends ? { ends } : {}) });
  }

  // ── forwarded ─────────────────────────────────────────────────────────────

  #script(words: readonly Uint8Array[], bytes: Uint8Array): void {
    const sub = nameOf(words) === 'script' ? subcommandOf(words) : '';
    const { scripts } = this.#talk;
    if (sub === 'exists') {
      // Of a script that the gateway would not run, the client must not hear that it is there.
      const known = words.map((sha, index) => (index < 2 || scripts.bodyOf(sha) !== undefined ? sha : noScript));
      return this.#send(words, encodeCommand(known));
    }
    const entry = this.#sent(words, bytes);
    const body = sub === 'load' ? words[2] : words[1];
    if (body && (sub === '' || sub === 'load')) scripts.saw(body, entry);
  }

  #endTransaction(name: string, words: readonly Uint8Array[], bytes: Uint8Array): void {
    const talk = this.#talk;
    const isDiscarded = name === 'exec' && talk.inTransaction && talk.isSpoilt;
    talk.inTransaction = false;
    talk.isSpoilt = false;
    if (isDiscarded) this.#send(words, encodeCommand(['DISCARD']), { isDiscarded });
    else this.#send(words, bytes);
  }

  #send(words: readonly Uint8Array[], bytes: Uint8Array, facts: SentFacts = {}): void {
    this.#sent(words, bytes, facts);
  }

  #sent(words: readonly Uint8Array[], bytes: Uint8Array, { of, resolved, isDiscarded }: SentFacts = {}): Sequence {
    const isKnown = of !== undefined;
    const entry = this.#record(words, isKnown ? { of, ...(resolved === false ? { resolved } : {}) } : {});
    this.#forward(bytes);
    const name = nameOf(words);
    if (name === 'function' && subcommandOf(words) === 'load') this.#talk.scripts.offered(words.at(-1)!, entry);
    this.#expect(words, entry, {
      ...(isDiscarded ? { isDiscarded } : {}),
      ...(isSubscription(name) ? { channels: words.length - 1 } : {}),
    });
    return entry;
  }

  #expect(words: readonly Uint8Array[], entry: Sequence, more: Partial<Awaited>): void {
    this.#talk.expect({ entry, name: nameOf(words), ...more });
  }

  #record(words: readonly Uint8Array[], more: Partial<StatementEvent> = {}): Sequence {
    const { words: shown, redactions } = redact(words, this.#randomBytes);
    return this.#talk.sink.append({
      kind: 'statement',
      verb: 'command',
      expectsOutcome: true,
      arguments: shown,
      ...more,
      ...(redactions.length > 0 ? { redactions } : {}),
    });
  }
}

/** Commands by their first word or two. */
function refused(words: readonly Uint8Array[], why: string): Complaint {
  const shown = renderCommand(words.slice(0, isContainer(words) ? 2 : 1).map((word) => word.subarray(0, 64)));
  return { code: 'ERR', message: `hoop refused ${shown}: ${why}. It was recorded and not forwarded.` };
}
