import { ProtocolError } from '../../shared/errors.ts';
import {
  backendType,
  checkRowDescription,
  decodeCommandComplete,
  decodeCopyResponse,
  decodeEmpty,
  decodeFields,
  decodeFunctionCallResponse,
  decodeNotification,
  decodeParameterDescription,
  decodeParameterStatus,
  decodeReadyForQuery,
  encodeErrorResponse,
  headerBytes,
} from './messages.ts';
import type { Awaited, Conversation } from './conversation.ts';
import { withoutObjectNumbers } from './row-description.ts';

const desync = (what: string): ProtocolError =>
  new ProtocolError('desync', `the server sent ${what}, which answers nothing that was asked`);

/** Whether ReadyForQuery is the next that this one gets. */
const endsWithReady = ({ kind, phase, isAnswered }: Awaited): boolean =>
  kind === 'sync' || phase === 'failed' || (isAnswered && phase === undefined);

/** Reads what the server says: pairs answers with questions, notes outcomes, says which bytes pass on to the client. */
export class Answers {
  readonly #talk: Conversation;
  /** Takes bytes for the client, in order. */
  readonly #pass: (bytes: Uint8Array) => void;

  constructor(talk: Conversation, pass: (bytes: Uint8Array) => void) {
    this.#talk = talk;
    this.#pass = pass;
  }

  /** Rows and COPY data are only counted and digested, never held: their bodies stream through. */
  streams(type: number): boolean {
    const { head } = this.#talk;
    if (type === backendType.copyData) {
      if (head?.phase !== 'copy-out') throw desync('COPY data');
      return true;
    }
    if (type !== backendType.dataRow) return false;
    // Only Execute gives rows without a RowDescription before them.
    if (head?.phase !== 'rows' && (head?.kind !== 'execute' || head.phase !== undefined)) throw desync('a row');
    if (head.phase === undefined) this.#keepColumns(head);
    head.phase = 'rows';
    this.#talk.result(head).rowsSeen++;
    return true;
  }

  piece(bytes: Uint8Array, isLast: boolean): void {
    const head = this.#talk.head!;
    this.#digest(head, bytes);
    this.#keep(head, bytes, isLast, true);
    this.#pass(bytes);
  }

  message(type: number, message: Uint8Array): void {
    const body = message.subarray(headerBytes);
    if (this.#isAnytime(type, body)) return this.#pass(message);
    const item = this.#talk.head;
    if (this.#talk.strayReadies > 0 && this.#isStray(type, item, body)) return this.#pass(message);
    if (type === backendType.errorResponse) return this.#failed(this.#owner(item), message, body);
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
    if (type === backendType.notificationResponse) {
      decodeNotification(body);
      return true;
    }
    if (type !== backendType.parameterStatus) return false;
    const { name, value } = decodeParameterStatus(body);
    this.#talk.setting(name, value);
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
        return this.#described(item);
      case backendType.rowDescription:
        checkRowDescription(body);
        if (item.kind === 'describe') return this.#described(item, message);
        // A rule can put a second one before the command's tag.
        if (item.kind !== 'query' || (item.phase ?? 'rows') !== 'rows') throw desync('a row description');
        item.phase = 'rows';
        this.#digest(item, withoutObjectNumbers(message));
        return this.#keep(item, message, true, false);
      case backendType.commandComplete:
        return this.#complete(item, decodeCommandComplete(body));
      case backendType.emptyQueryResponse:
        decodeEmpty(body);
        this.#between(item, 'an empty query');
        return this.#commandDone(item);
      case backendType.portalSuspended:
        decodeEmpty(body);
        if (item.kind !== 'execute' || (item.phase ?? 'rows') !== 'rows') throw desync('a suspended portal');
        return this.#end(item, 'suspended');
      case backendType.copyInResponse:
        decodeCopyResponse(body);
        return this.#copyIn(item);
      case backendType.copyOutResponse:
        decodeCopyResponse(body);
        this.#between(item, 'COPY data');
        item.phase = 'copy-out';
        return this.#whole(item, message);
      case backendType.copyDone:
        decodeEmpty(body);
        if (item.phase !== 'copy-out') throw desync('the end of COPY data');
        item.phase = 'copied';
        return;
      case backendType.functionCallResponse:
        decodeFunctionCallResponse(body);
        if (item.kind !== 'function-call' || item.isAnswered) throw desync('a function result');
        item.isAnswered = true;
        return this.#whole(item, message);
      case backendType.readyForQuery:
        return this.#ready(item, body);
      default:
        throw desync(`message ${String.fromCharCode(type)}`);
    }
  }

  /** A Query or Execute of which no command is half answered. */
  #between(item: Awaited, what: string): void {
    if ((item.kind !== 'query' && item.kind !== 'execute') || item.phase !== undefined) throw desync(what);
  }

  #commandDone(item: Awaited): void {
    item.phase = undefined;
    item.isAnswered = true;
    item.syncsAhead = 0; // a COPY that came to its end had read them
    if (item.kind === 'execute') this.#end(item, 'ok');
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
    if (!item.described || item.sawParameters) throw desync('a parameter description');
    item.sawParameters = true;
    item.described.serverTypes = decodeParameterDescription(body);
  }

  #described(item: Awaited, columns?: Uint8Array): void {
    if (item.described && !item.sawParameters) throw desync('the end of a describe');
    if (item.definition && columns) this.#talk.columns?.set(item.definition, columns);
    this.#done(item, 'describe');
  }

  #complete(item: Awaited, tag: string): void {
    const isOpen = item.phase === 'copy-out' || item.phase === 'failed' || this.#talk.copyIn !== undefined;
    if ((item.kind !== 'query' && item.kind !== 'execute') || isOpen) throw desync('a completed command');
    const result = this.#talk.result(item);
    result.tags.push(tag);
    // The tag's count is the server's own; rows seen are the fallback (a suspended portal has no tag).
    result.rows += Number(/ (\d+)$/.exec(tag)?.[1] ?? result.rowsSeen);
    result.rowsSeen = 0;
    this.#commandDone(item);
  }

  /** From now on the server ignores Sync and Flush until the COPY is over: those already sent will have no answer. */
  #copyIn(item: Awaited): void {
    this.#between(item, 'a request for COPY data');
    item.phase = 'copy-in';
    this.#talk.copyIn = item.entry;
    const { awaited } = this.#talk;
    while (awaited[1]?.kind === 'sync') {
      awaited.splice(1, 1);
      item.syncsAhead++;
    }
  }

  /** A ReadyForQuery for a Sync that was sent ahead of a COPY which failed before the server read it. Any other answer: none will come. */
  #isStray(type: number, item: Awaited | undefined, body: Uint8Array): boolean {
    const talk = this.#talk;
    if (type !== backendType.readyForQuery) {
      talk.strayReadies = 0;
      return false;
    }
    if (item && endsWithReady(item)) return false;
    talk.transaction = decodeReadyForQuery(body);
    talk.strayReadies--;
    talk.isSkipping = false;
    return true;
  }

  #end(item: Awaited, status: 'ok' | 'error' | 'suspended' | 'cancelled'): void {
    this.#talk.awaited.shift();
    this.#talk.outcome(item, status);
  }

  /** The end of a segment. */
  #ready(item: Awaited, body: Uint8Array): void {
    const talk = this.#talk;
    if (!endsWithReady(item)) throw desync('the end of a segment');
    talk.transaction = decodeReadyForQuery(body);
    if (item.kind === 'sync') talk.awaited.shift();
    else this.#end(item, item.result?.error ? this.#statusOf(item) : 'ok');
    if (item.kind === 'query') talk.statements.forget(''); // a Query drops the unnamed statement, whatever became of it
    if (talk.transaction === 'I') talk.portals.forgetAll();
    talk.cancelWanted = false;
  }

  #statusOf(item: Awaited): 'error' | 'cancelled' {
    return item.result?.error?.code === '57014' && this.#talk.cancelWanted ? 'cancelled' : 'error';
  }

  /** Where the gateway's own message fails, what it was sent for has failed: the next one, of the same entry. */
  #owner(item: Awaited | undefined): Awaited | undefined {
    if (!item?.isOurs) return item;
    this.#talk.awaited.shift();
    return this.#talk.head;
  }

  #failed(item: Awaited | undefined, message: Uint8Array, body: Uint8Array): void {
    const fields = decodeFields(body);
    const severity = fields.get('V') ?? fields.get('S') ?? '';
    const isFatal = severity === 'FATAL' || severity === 'PANIC';
    if (!item || item.phase === 'failed') {
      // A server that goes down, or that ends an idle session, says so unasked.
      if (!isFatal) throw desync('an error');
      return this.#pass(message);
    }
    const talk = this.#talk;
    talk.copyIn = undefined;
    item.phase = 'failed';
    talk.strayReadies = item.syncsAhead;
    const error = { code: fields.get('C') ?? '', message: fields.get('M') ?? '' };
    talk.result(item).error = error;
    const isExpected = item.error?.code === error.code;
    this.#pass(isExpected ? encodeErrorResponse({ severity: 'ERROR', ...item.error! }) : message);
    if (isFatal) return this.#endFatally(item);
    if (item.kind === 'query' || item.kind === 'function-call') return; // ReadyForQuery ends them
    this.#checkBehind();
    talk.outcome(item, this.#statusOf(item));
    if (item.kind !== 'sync') this.#skipToSync(); // at a Sync it is a commit that failed: ReadyForQuery follows
  }

  /** Nothing but the end of the connection follows. */
  #endFatally(item: Awaited): void {
    if (item.kind === 'sync') this.#talk.outcome(item, 'error');
    else this.#end(item, 'error');
  }

  /** Whether the server read the Sync that was sent ahead of a COPY decides what of the statements behind it is skipped. */
  #checkBehind(): void {
    const behind = this.#talk.awaited[1];
    if (this.#talk.strayReadies === 0 || !behind || behind.kind === 'sync') return;
    const what =
      'a COPY failed of which nobody can tell how much behind it was skipped; send nothing more before it is done';
    throw new ProtocolError('unclear-after-copy', what);
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
      if (item.changes) {
        const names = item.changes === 'portal' ? talk.portals : talk.statements;
        const { name, meaning } = names.skip();
        // A Parse or Bind that fails has dropped the unnamed statement or portal before it was read.
        if (isFirst && name === '' && meaning) names.forget('');
      }
      if (!isFirst && item.expectsOutcome) talk.outcome(item, 'skipped');
      isFirst = false;
    }
    if (talk.head) talk.isSkipping = false;
  }

  /** A message of the result that is no row. */
  #whole(item: Awaited, message: Uint8Array): void {
    this.#digest(item, message);
    this.#keep(item, message, true, false);
  }

  #digest(item: Awaited, bytes: Uint8Array): void {
    const result = this.#talk.result(item);
    result.digesting.add(bytes);
    result.bytes += bytes.length;
  }

  /** Only where the owner of the resource wants rows kept. */
  #keep(item: Awaited, bytes: Uint8Array, isLast: boolean, isRow: boolean): void {
    if (item.result?.kept?.add(bytes, isLast, isRow)) this.#talk.hasKept = true;
  }

  #keepColumns(item: Awaited): void {
    const columns = this.#talk.columns?.get(item.definition);
    if (columns && this.#talk.result(item).kept) this.#keep(item, columns, true, false);
  }
}
