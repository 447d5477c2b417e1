import { ResultDigest } from '../result-digest.ts';
import { ProtocolError } from '../../shared/errors.ts';
import type { OutcomeEvent } from '../event.ts';
import type { Awaited, Conversation } from './conversation.ts';
import { encodeError, latin1, splitError, textOf } from './messages.ts';
import type { Element, ReplyTarget } from './reply-parser.ts';
import { isMessage, isSubscription } from './subscriptions.ts';

/** An answer, or an answer within that of EXEC. */
interface Unit {
  element: Element;
  /** Of strings and aggregates only: the record shows all of the others. */
  digest: ResultDigest | undefined;
  bytes: number;
}

/** What is kept of an answer within that of EXEC until all of them are there: nothing that would hold on to what has passed. */
interface Part {
  summary: Summary;
  value: Uint8Array | undefined;
}

/** What the server is sending now. */
interface Reply {
  whole: Unit;
  /** What EXEC answered: one for each queued command; and the one that is coming. */
  parts: Part[] | undefined;
  part: Unit | undefined;
  /** Kept from the client, which gets another answer. */
  isHidden: boolean;
  /** Its first part, if that is a short string; and its last integer: kind and count of a confirmation. */
  kind: string | undefined;
  count: number | undefined;
  /** Inside a push between its parts, which is no result of anything. */
  isAside: boolean;
}

const aborted = { code: 'EXECABORT', message: 'Transaction discarded because of previous errors.' };
/** Of a status or a value that is shown in the record whole. */
const shownMax = 256;
/** Never queued by MULTI. */
const unqueued: ReadonlySet<string> = new Set(['multi', 'exec', 'discard', 'watch']);

/** What the server sends: pairs answers with commands, tells pushes apart, passes all of it on. Throws ProtocolError for the impossible. */
export class Answers implements ReplyTarget {
  readonly #talk: Conversation;
  readonly #tell: (bytes: Uint8Array) => void;
  #reply: Reply | undefined;

  constructor(talk: Conversation, tell: (bytes: Uint8Array) => void) {
    this.#talk = talk;
    this.#tell = tell;
  }

  get isOver(): boolean {
    return this.#talk.isOver;
  }

  element(element: Element): void {
    const reply = this.#reply;
    if (!reply) return this.#begin(element);
    reply.isAside = element.depth < 0;
    if (element.depth === 1) {
      this.#closePart(reply);
      if (reply.parts) reply.part = unitOf(element);
      reply.kind ??= element.value ? latin1(element.value) : '';
      if (element.type === ':') reply.count = Number(latin1(element.line));
    }
  }

  bytes(bytes: Uint8Array): void {
    const { whole, part, isHidden, isAside } = this.#reply!;
    if (!isHidden) this.#tell(bytes);
    if (isAside) return;
    count(whole, bytes);
    if (part) count(part, bytes);
  }

  end(): void {
    const reply = this.#reply!;
    this.#reply = undefined;
    this.#closePart(reply);
    const { head, subscriptions } = this.#talk;
    const { type } = reply.whole.element;
    const kind = reply.kind ?? '';
    const isConfirming = isSubscription(kind) && (type === '>' || (type === '*' && this.#mayBePush(kind)));
    if (isConfirming) return this.#confirmed(kind, reply);
    if (type === '>') return;
    if (type === '*' && this.#talk.version === 2 && subscriptions.any && isMessage(kind)) return;
    if (!head) throw unasked();
    this.#answer(head, reply);
    this.#talk.answered();
  }

  /** RESP2 has confirmations as arrays: asked for, or (when access is taken away) not. */
  #mayBePush(kind: string): boolean {
    const { head, version, subscriptions } = this.#talk;
    return version === 2 && (head?.name === kind || subscriptions.any);
  }

  #begin(element: Element): void {
    const { head, queued, version, subscriptions } = this.#talk;
    const { type, count } = element;
    const mayBePush = type === '>' || (type === '*' && version === 2 && subscriptions.any);
    if (!head && !mayBePush) throw unasked();
    const isRun = type === '*' && head?.name === 'exec' && queued !== undefined && latin1(element.line) !== '-1';
    if (isRun && count !== queued.length)
      throw new ProtocolError('desync', `${count} answers to a transaction of ${queued.length} commands`);
    this.#reply = {
      whole: unitOf(element),
      parts: isRun ? [] : undefined,
      part: undefined,
      isHidden: head?.isDiscarded === true && (type === '+' || type === '-'),
      kind: undefined,
      count: undefined,
      isAside: false,
    };
  }

  #closePart({ part, parts }: Reply): void {
    if (part) parts!.push({ summary: summaryOf(part), value: part.element.value?.slice() });
  }

  #confirmed(kind: string, { count }: Reply): void {
    const { head, subscriptions } = this.#talk;
    if (count === undefined) throw new ProtocolError('desync', 'a confirmation without a count');
    if (head?.name === kind) head.confirmationsLeft ??= subscriptions.confirmationsOf(kind, head.channels!);
    subscriptions.confirmed(kind, count);
    if (head?.name !== kind) return; // not asked for
    head.confirmationsLeft!--;
    if (head.confirmationsLeft! > 0) return;
    this.#talk.outcome(head, { status: 'ok', tag: `${count} subscribed` });
    this.#talk.answered();
  }

  #answer(item: Awaited, { whole, parts }: Reply): void {
    const talk = this.#talk;
    const { type, line } = whole.element;
    if (item.isDiscarded) return this.#discarded(item);
    if (type === '+' && talk.queued && !unqueued.has(item.name) && latin1(line) === 'QUEUED') {
      talk.queued.push(item);
      return;
    }
    if (item.name === 'exec') this.#executed(whole, parts);
    if (item.name === 'multi' && type === '+') talk.queued ??= [];
    if (item.name === 'discard' && type === '+') talk.skipQueued('DISCARD');
    if (item.name === 'hello' && type !== '-') this.#versionIs(type === '%' ? 3 : 2);
    this.#settle(item, { summary: summaryOf(whole), value: whole.element.value });
  }

  /** EXEC ends a transaction whatever it answers. */
  #executed(whole: Unit, parts: Part[] | undefined): void {
    const talk = this.#talk;
    if (!talk.queued) return;
    if (!parts) {
      const { type, line } = whole.element;
      return talk.skipQueued(type === '-' ? splitError(line).code : 'a watched key changed');
    }
    const run = talk.queued;
    talk.queued = undefined;
    for (const [index, item] of run.entries()) this.#settle(item, parts[index]!);
  }

  #discarded(item: Awaited): void {
    this.#talk.skipQueued(aborted.code);
    this.#talk.outcome(item, { status: 'error', errorCode: aborted.code, errorMessage: aborted.message });
    this.#tell(encodeError(aborted.code, aborted.message));
  }

  #settle(item: Awaited, { summary, value }: Part): void {
    this.#talk.outcome(item, summary);
    if (item.name === 'function' && summary.status === 'ok') this.#talk.scripts.loaded(item.entry, value);
  }

  #versionIs(version: 2 | 3): void {
    if (version === this.#talk.version) return;
    this.#talk.version = version;
    this.#talk.sink.append({ kind: 'state', name: 'protocol', value: String(version) });
  }
}

function unitOf(element: Element): Unit {
  const isShown = '+-:_,#('.includes(element.type) || latin1(element.line) === '-1';
  return { element, digest: isShown ? undefined : new ResultDigest(), bytes: 0 };
}

function count(unit: Unit, bytes: Uint8Array): void {
  unit.digest?.add(bytes);
  unit.bytes += bytes.length;
}

type Summary = Pick<
  OutcomeEvent,
  'status' | 'tag' | 'rows' | 'errorCode' | 'errorMessage' | 'resultDigest' | 'resultBytes'
>;

/** As redis-cli would say it, without the values. */
function summaryOf({ element, digest, bytes }: Unit): Summary {
  const { type, line, count, value } = element;
  if (type === '-' || type === '!') {
    const { code, message } = splitError(type === '-' ? line : (value ?? Buffer.from('ERR (long)')));
    return { status: 'error', errorCode: code, errorMessage: message };
  }
  const result = digest ? { resultDigest: digest.end(), resultBytes: bytes } : {};
  return { status: 'ok', ...tagOf(type, line, count), ...result };
}

function tagOf(type: string, line: Uint8Array, count: number): Pick<OutcomeEvent, 'tag' | 'rows'> {
  const text = textOf(line.subarray(0, shownMax));
  switch (type) {
    case '+':
      return { tag: text };
    case ':':
      return { tag: `(integer) ${text}` };
    case ',':
      return { tag: `(double) ${text}` };
    case '(':
      return { tag: `(big number) ${text}` };
    case '#':
      return { tag: text === 't' ? '(true)' : '(false)' };
    case '_':
      return { tag: '(nil)' };
    case '$':
    case '=':
      return { tag: text === '-1' ? '(nil)' : `string of ${text} bytes` };
    default:
      if (text === '-1') return { tag: '(nil)' };
      return {
        tag: `${type === '%' ? 'map' : type === '~' ? 'set' : 'array'} of ${text}`,
        rows: type === '%' ? count / 2 : count,
      };
  }
}

const unasked = (): ProtocolError => new ProtocolError('desync', 'the resource sent an answer that nothing asked for');
