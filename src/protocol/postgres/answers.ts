import { ProtocolError } from '../../shared/errors.ts';
import type { ByteRuns } from '../byte-runs.ts';
import type { Awaited, AwaitedKind } from './awaited.ts';
import { commandTagOf } from './command-tag.ts';
import type { Conversation } from './conversation.ts';
import {
  backendType,
  checkRowDescription,
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
import { withoutObjectNumbers } from './row-description.ts';
import { wholeMessages, Splitter, type Passage, type SplitterTarget } from './splitter.ts';

const desync = (what: string): ProtocolError =>
  new ProtocolError('desync', `the server sent ${what}, which answers nothing that was asked`);

/** Whether ReadyForQuery is the next that this one gets. */
const endsWithReady = ({ kind, phase, isAnswered }: Awaited): boolean =>
  kind === 'sync' || phase === 'failed' || (isAnswered && phase === undefined);

/** Reads what the server says: pairs answers with questions, notes outcomes, says which bytes pass on to the client. */
export class Answers implements SplitterTarget {
  readonly #talk: Conversation;
  readonly #toClient: ByteRuns;
  /** Called behind every message that was read. */
  readonly #answered: () => void;

  constructor(talk: Conversation, toClient: ByteRuns, answered: () => void) {
    this.#talk = talk;
    this.#toClient = toClient;
    this.#answered = answered;
  }

  /** Rows and COPY data are only counted and digested, never held: their bodies stream through. */
  passage(type: number): Passage {
    const { head } = this.#talk;
    if (type === backendType.copyData) {
      if (head?.phase !== 'copy-out') throw desync('COPY data');
      return 'stream';
    }
    if (type !== backendType.dataRow) return 'whole';
    // Only Execute gives rows without a RowDescription before them.
    if (head?.phase !== 'rows' && (head?.kind !== 'execute' || head.phase !== undefined)) throw desync('a row');
    if (head.phase === undefined) this.#keepColumns(head);
    head.phase = 'rows';
    return 'stream';
  }

  piece(bytes: Uint8Array, start: number, end: number, isLast: boolean, begun: number): void {
    const head = this.#talk.head!;
    const result = this.#talk.result(head);
    if (head.phase === 'rows') result.rowsSeen += begun;
    result.add(bytes, start, end);
    if (result.kept !== undefined) this.#keepRows(head, bytes, start, end, isLast, begun);
    this.#toClient.add(bytes, start, end);
  }

  message(type: number, bytes: Uint8Array, start: number, end: number): void {
    const talk = this.#talk;
    if (talk.isOver) return;
    if (this.#isPassedOn(type, bytes, start, end)) this.#toClient.add(bytes, start, end);
    this.#answered();
  }

  /** Reads a message; false: it is not for the client, or the client has it already. */
  #isPassedOn(type: number, bytes: Uint8Array, start: number, end: number): boolean {
    const body = start + headerBytes;
    if (this.#isAnytime(type, bytes, body, end)) return true;
    const item = this.#talk.head;
    if (this.#talk.strayReadies > 0 && this.#isStray(type, item, bytes, body, end)) return true;
    if (type === backendType.errorResponse) {
      this.#failed(this.#owner(item), bytes, start, end);
      return false;
    }
    if (!item) throw desync(`message ${String.fromCharCode(type)}`);
    const { isOurs } = item;
    this.#answer(type, item, bytes, start, end);
    return !isOurs;
  }

  /** Notices, notifications and parameter changes may come at any moment. */
  #isAnytime(type: number, bytes: Uint8Array, body: number, end: number): boolean {
    if (type === backendType.noticeResponse) {
      decodeFields(bytes, body, end);
      return true;
    }
    if (type === backendType.notificationResponse) {
      decodeNotification(bytes, body, end);
      return true;
    }
    if (type !== backendType.parameterStatus) return false;
    const { name, value } = decodeParameterStatus(bytes, body, end);
    this.#talk.setting(name, value);
    this.#talk.sink.append({ kind: 'state', name, value });
    return true;
  }

  #answer(type: number, item: Awaited, bytes: Uint8Array, start: number, end: number): void {
    const body = start + headerBytes;
    switch (type) {
      case backendType.parseComplete:
        decodeEmpty(bytes, body, end);
        return this.#parsed(item);
      case backendType.bindComplete:
        decodeEmpty(bytes, body, end);
        return this.#done(item, 'bind');
      case backendType.closeComplete:
        decodeEmpty(bytes, body, end);
        return this.#done(item, 'close');
      case backendType.parameterDescription:
        return this.#parameters(item, bytes, body, end);
      case backendType.noData:
        decodeEmpty(bytes, body, end);
        return this.#described(item);
      case backendType.rowDescription:
        checkRowDescription(bytes, body, end);
        return this.#columns(item, bytes, start, end);
      case backendType.commandComplete:
        return this.#complete(item, bytes, body, end);
      case backendType.emptyQueryResponse:
        decodeEmpty(bytes, body, end);
        this.#between(item, 'an empty query');
        return this.#commandDone(item);
      case backendType.portalSuspended:
        decodeEmpty(bytes, body, end);
        if (item.kind !== 'execute' || (item.phase ?? 'rows') !== 'rows') throw desync('a suspended portal');
        return this.#end(item, 'suspended');
      case backendType.copyInResponse:
        decodeCopyResponse(bytes, body, end);
        return this.#copyIn(item);
      case backendType.copyOutResponse:
        decodeCopyResponse(bytes, body, end);
        this.#between(item, 'COPY data');
        item.phase = 'copy-out';
        return this.#whole(item, bytes, start, end);
      case backendType.copyDone:
        decodeEmpty(bytes, body, end);
        if (item.phase !== 'copy-out') throw desync('the end of COPY data');
        item.phase = 'copied';
        return;
      case backendType.functionCallResponse:
        decodeFunctionCallResponse(bytes, body, end);
        if (item.kind !== 'function-call' || item.isAnswered) throw desync('a function result');
        item.isAnswered = true;
        return this.#whole(item, bytes, start, end);
      case backendType.readyForQuery:
        return this.#ready(item, bytes, body, end);
      default:
        throw desync(`message ${String.fromCharCode(type)}`);
    }
  }

  #columns(item: Awaited, bytes: Uint8Array, start: number, end: number): void {
    if (item.kind === 'describe') {
      return this.#described(item, this.#talk.columns && bytes.subarray(start, end));
    }
    // A rule can put a second one before the command's tag.
    if (item.kind !== 'query' || (item.phase ?? 'rows') !== 'rows') throw desync('a row description');
    item.phase = 'rows';
    const described = withoutObjectNumbers(bytes, start, end);
    this.#talk.result(item).add(described, 0, described.length);
    this.#keep(item, bytes, start, end, true, false);
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
    if (unnamed?.by === item) unnamed.by = undefined;
    this.#done(item, 'parse');
  }

  #done(item: Awaited, kind: AwaitedKind): void {
    if (item.kind !== kind) throw desync(`the end of a ${kind}`);
    this.#talk.awaited.shift();
    if (item.changes === 'statement') this.#talk.statements.confirm();
    if (item.changes === 'portal') this.#talk.portals.confirm();
  }

  #parameters(item: Awaited, bytes: Uint8Array, body: number, end: number): void {
    if (!item.described || item.sawParameters) throw desync('a parameter description');
    item.sawParameters = true;
    item.described.serverTypes = decodeParameterDescription(bytes, body, end);
  }

  #described(item: Awaited, columns?: Uint8Array): void {
    if (item.described && !item.sawParameters) throw desync('the end of a describe');
    if (item.definition && columns) this.#talk.columns?.set(item.definition, columns);
    this.#done(item, 'describe');
  }

  #complete(item: Awaited, bytes: Uint8Array, body: number, end: number): void {
    const tag = commandTagOf(bytes, body, end);
    const isOpen = item.phase === 'copy-out' || item.phase === 'failed' || this.#talk.copyIn !== undefined;
    if ((item.kind !== 'query' && item.kind !== 'execute') || isOpen) throw desync('a completed command');
    this.#talk.result(item).complete(tag);
    this.#commandDone(item);
  }

  /** From now on the server ignores Sync and Flush until the COPY is over: those already sent will have no answer. */
  #copyIn(item: Awaited): void {
    this.#between(item, 'a request for COPY data');
    item.phase = 'copy-in';
    this.#talk.copyIn = item.entry;
    while (item.next?.kind === 'sync') {
      this.#talk.awaited.dropSecond();
      item.syncsAhead++;
    }
  }

  /** A ReadyForQuery for a Sync that was sent ahead of a COPY which failed before the server read it. Any other answer: none will come. */
  #isStray(type: number, item: Awaited | undefined, bytes: Uint8Array, body: number, end: number): boolean {
    const talk = this.#talk;
    if (type !== backendType.readyForQuery) {
      talk.strayReadies = 0;
      return false;
    }
    if (item && endsWithReady(item)) return false;
    talk.transaction = decodeReadyForQuery(bytes, body, end);
    talk.strayReadies--;
    talk.isSkipping = false;
    return true;
  }

  #end(item: Awaited, status: 'ok' | 'error' | 'suspended' | 'cancelled'): void {
    this.#talk.awaited.shift();
    this.#talk.outcome(item, status);
  }

  /** The end of a segment. */
  #ready(item: Awaited, bytes: Uint8Array, body: number, end: number): void {
    const talk = this.#talk;
    if (!endsWithReady(item)) throw desync('the end of a segment');
    talk.transaction = decodeReadyForQuery(bytes, body, end);
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

  #failed(item: Awaited | undefined, bytes: Uint8Array, start: number, end: number): void {
    const fields = decodeFields(bytes, start + headerBytes, end);
    const severity = fields.get('V') ?? fields.get('S') ?? '';
    const isFatal = severity === 'FATAL' || severity === 'PANIC';
    if (!item || item.phase === 'failed') {
      // A server that goes down, or that ends an idle session, says so unasked.
      if (!isFatal) throw desync('an error');
      return this.#toClient.add(bytes, start, end);
    }
    const talk = this.#talk;
    talk.copyIn = undefined;
    item.phase = 'failed';
    talk.strayReadies = item.syncsAhead;
    const error = { code: fields.get('C') ?? '', message: fields.get('M') ?? '' };
    talk.result(item).error = error;
    if (item.error?.code !== error.code) this.#toClient.add(bytes, start, end);
    else this.#toClient.add(encodeErrorResponse({ severity: 'ERROR', ...item.error }));
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
    const behind = this.#talk.head?.next;
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
    if (talk.unnamed?.by !== undefined) talk.unnamed = undefined;
    let isFirst = true;
    while (talk.head && talk.head.kind !== 'sync') {
      const item = talk.awaited.shift();
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
  #whole(item: Awaited, bytes: Uint8Array, start: number, end: number): void {
    this.#talk.result(item).add(bytes, start, end);
    this.#keep(item, bytes, start, end, true, false);
  }

  /** Only where the owner of the resource wants rows kept. */
  #keep(item: Awaited, bytes: Uint8Array, start: number, end: number, isLast: boolean, isRow: boolean): void {
    if (item.result?.kept?.add(bytes.subarray(start, end), isLast, isRow)) this.#talk.hasKept = true;
  }

  /** Message by message: what is kept ends with one. */
  #keepRows(item: Awaited, bytes: Uint8Array, start: number, end: number, isLast: boolean, begun: number): void {
    if (item.result!.kept!.isFull) return;
    if (begun <= 1) return this.#keep(item, bytes, start, end, isLast, true);
    const row = wholeMessages((_type, message) => this.#keep(item, message, 0, message.length, true, true));
    new Splitter(row, end - start).push(bytes.subarray(start, end));
  }

  #keepColumns(item: Awaited): void {
    const columns = this.#talk.columns?.get(item.definition);
    if (columns && this.#talk.result(item).kept) this.#keep(item, columns, 0, columns.length, true, false);
  }
}
