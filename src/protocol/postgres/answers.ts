import { ProtocolError } from '../../shared/errors.ts';
import {
  backendType,
  decodeCommandComplete,
  decodeEmpty,
  decodeFields,
  decodeParameterDescription,
  decodeParameterStatus,
  decodeReadyForQuery,
  encodeErrorResponse,
  headerBytes,
} from './messages.ts';
import type { Awaited, Conversation } from './conversation.ts';

/** Rows are only counted and digested, never held: their bodies stream through. */
const streamed = new Set<number>([backendType.dataRow, backendType.copyData]);
const uncounted = new Set(['parse', 'bind', 'close', 'sync']);

const desync = (what: string): ProtocolError =>
  new ProtocolError('desync', `the server sent ${what}, which answers nothing that was asked`);

/** Reads what the server says: pairs answers with questions, notes outcomes, says which bytes pass on to the client. */
export class Answers {
  readonly #talk: Conversation;
  /** Takes bytes for the client, in order. */
  readonly #pass: (bytes: Uint8Array) => void;

  constructor(talk: Conversation, pass: (bytes: Uint8Array) => void) {
    this.#talk = talk;
    this.#pass = pass;
  }

  streams(type: number): boolean {
    if (!streamed.has(type)) return false;
    const { head } = this.#talk;
    if (!head || uncounted.has(head.kind) || head.kind === 'describe') throw desync('a row');
    if (type === backendType.dataRow) this.#talk.result(head).rowsSeen++;
    return true;
  }

  piece(bytes: Uint8Array): void {
    this.#digest(this.#talk.head!, bytes);
    this.#pass(bytes);
  }

  message(type: number, message: Uint8Array): void {
    const body = message.subarray(headerBytes);
    if (this.#isAnytime(type, body)) return this.#pass(message);
    const item = this.#talk.head;
    if (type === backendType.errorResponse) return this.#failed(item, message, body);
    if (!item) throw desync(`message ${String.fromCharCode(type)}`);
    const pass = !item.isOurs;
    this.#answer(type, item, message, body);
    if (pass) this.#pass(message);
  }

  /** Notices, notifications and parameter changes may come at any moment. */
  #isAnytime(type: number, body: Uint8Array): boolean {
    if (type === backendType.noticeResponse) {
      decodeFields(body);
      return true;
    }
    if (type === backendType.notificationResponse) return true;
    if (type !== backendType.parameterStatus) return false;
    const { name, value } = decodeParameterStatus(body);
    if (name === 'client_encoding') this.#talk.encoding = value;
    this.#talk.sink.append({ kind: 'state', name, value });
    return true;
  }

  #answer(type: number, item: Awaited, message: Uint8Array, body: Uint8Array): void {
    switch (type) {
      case backendType.parseComplete:
        decodeEmpty(body);
        return this.#parsed(item);
      case backendType.bindComplete:
        decodeEmpty(body);
        return this.#done(item, 'bind');
      case backendType.closeComplete:
        decodeEmpty(body);
        return this.#done(item, 'close');
      case backendType.parameterDescription:
        return this.#parameters(item, body);
      case backendType.noData:
        decodeEmpty(body);
        return this.#done(item, 'describe');
      case backendType.rowDescription:
        if (item.kind === 'describe') return this.#done(item, 'describe');
        this.#running(item, 'a row description');
        return this.#digest(item, message);
      case backendType.commandComplete:
        return this.#complete(item, decodeCommandComplete(body));
      case backendType.emptyQueryResponse:
        decodeEmpty(body);
        this.#running(item, 'an empty query');
        if (item.kind === 'execute') this.#end(item, 'ok');
        return;
      case backendType.portalSuspended:
        decodeEmpty(body);
        if (item.kind !== 'execute') throw desync('a suspended portal');
        return this.#end(item, 'suspended');
      case backendType.copyInResponse:
        return this.#copyIn(item);
      case backendType.copyOutResponse:
        this.#running(item, 'COPY data');
        return this.#digest(item, message);
      case backendType.copyDone:
        decodeEmpty(body);
        this.#running(item, 'the end of COPY data');
        return;
      case backendType.functionCallResponse:
        if (item.kind !== 'function-call') throw desync('a function result');
        return this.#digest(item, message);
      case backendType.readyForQuery:
        return this.#ready(item, body);
      default:
        throw desync(`message ${String.fromCharCode(type)}`);
    }
  }

  #running(item: Awaited, what: string): void {
    if (item.kind !== 'query' && item.kind !== 'execute') throw desync(what);
  }

  #parsed(item: Awaited): void {
    const { unnamed } = this.#talk;
    if (unnamed?.by === item) unnamed.isAnswered = true;
    this.#done(item, 'parse');
  }

  #done(item: Awaited, kind: Awaited['kind']): void {
    if (item.kind !== kind) throw desync(`the end of a ${kind}`);
    this.#talk.awaited.shift();
    if (item.changes === 'statement') this.#talk.statements.confirm();
    if (item.changes === 'portal') this.#talk.portals.confirm();
  }

  #parameters(item: Awaited, body: Uint8Array): void {
    if (item.kind !== 'describe' || !item.described || item.sawParameters) throw desync('a parameter description');
    item.sawParameters = true;
    item.described.serverTypes = decodeParameterDescription(body);
  }

  #complete(item: Awaited, tag: string): void {
    this.#running(item, 'a completed command');
    this.#talk.copyIn = undefined;
    const result = this.#talk.result(item);
    result.tags.push(tag);
    // The tag's count is the server's own; rows seen are the fallback (a suspended portal has no tag).
    result.rows += Number(/ (\d+)$/.exec(tag)?.[1] ?? result.rowsSeen);
    result.rowsSeen = 0;
    if (item.kind === 'execute') this.#end(item, 'ok');
  }

  /** From now on the server ignores Sync and Flush until the COPY is over: those already sent will have no answer. */
  #copyIn(item: Awaited): void {
    this.#running(item, 'a request for COPY data');
    this.#talk.copyIn = item.entry;
    const { awaited } = this.#talk;
    while (awaited[1]?.kind === 'sync') awaited.splice(1, 1);
  }

  #end(item: Awaited, status: 'ok' | 'error' | 'suspended' | 'cancelled'): void {
    this.#talk.awaited.shift();
    this.#talk.outcome(item, status);
  }

  /** The end of a segment. */
  #ready(item: Awaited, body: Uint8Array): void {
    const talk = this.#talk;
    if (item.kind !== 'query' && item.kind !== 'sync' && item.kind !== 'function-call')
      throw desync('the end of a segment');
    talk.transaction = decodeReadyForQuery(body);
    talk.copyIn = undefined;
    if (item.kind === 'sync') talk.awaited.shift();
    else this.#end(item, item.result?.error ? this.#statusOf(item) : 'ok');
    if (talk.transaction === 'I') talk.portals.forget();
    talk.cancelWanted = false;
  }

  #statusOf(item: Awaited): 'error' | 'cancelled' {
    return item.result?.error?.code === '57014' && this.#talk.cancelWanted ? 'cancelled' : 'error';
  }

  #failed(item: Awaited | undefined, message: Uint8Array, body: Uint8Array): void {
    const fields = decodeFields(body);
    const severity = fields.get('V') ?? fields.get('S') ?? '';
    const isFatal = severity === 'FATAL' || severity === 'PANIC';
    if (!item) {
      // A server that goes down, or that ends an idle session, says so unasked.
      if (!isFatal) throw desync('an error');
      return this.#pass(message);
    }
    const talk = this.#talk;
    talk.copyIn = undefined;
    talk.result(item).error = { code: fields.get('C') ?? '', message: fields.get('M') ?? '' };
    const said = item.error && !isFatal ? encodeErrorResponse({ severity: 'ERROR', ...item.error }) : message;
    this.#pass(said);
    if (item.kind === 'query' || item.kind === 'function-call') return; // ReadyForQuery ends them
    talk.outcome(item, this.#statusOf(item));
    if (item.kind !== 'sync') this.#skipToSync(); // at a Sync it is a commit that failed: ReadyForQuery follows
  }

  /** The server answers nothing up to the next Sync, which may not have been sent yet. */
  #skipToSync(): void {
    const talk = this.#talk;
    talk.isSkipping = true;
    // An answered definition stays; one that was on its way may or may not have reached the server: parse again before the next use.
    if (!talk.unnamed?.isAnswered) talk.unnamed = undefined;
    let isFirst = true;
    while (talk.head && talk.head.kind !== 'sync') {
      const item = talk.awaited.shift()!;
      if (item.changes === 'statement') talk.statements.skip();
      if (item.changes === 'portal') talk.portals.skip();
      if (!isFirst && item.expectsOutcome) talk.outcome(item, 'skipped');
      isFirst = false;
    }
    if (talk.head) talk.isSkipping = false;
  }

  #digest(item: Awaited, bytes: Uint8Array): void {
    const result = this.#talk.result(item);
    result.digesting.add(bytes);
    result.bytes += bytes.length;
  }
}
