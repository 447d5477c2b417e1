import { ProtocolError } from '../../shared/errors.ts';
import type { Sequence, StatementEvent } from '../event.ts';
import { runsNothing } from './client-messages.ts';
import type { Awaited, Conversation } from './conversation.ts';
import { CopyIn } from './copy-in.ts';
import {
  checkCopyEnd,
  cstring,
  decodeBind,
  decodeEmpty,
  decodeExecute,
  decodeFunctionCall,
  decodeParse,
  decodeQuery,
  decodeTarget,
  encodeExecute,
  encodeMessage,
  encodeParse,
  encodeTarget,
  formatOf,
  frontendType,
  headerBytes,
  textOf,
  type Bind,
} from './messages.ts';
import { portalKey, statementKey, type Definition } from './names.ts';
import type { Redaction, Redactor } from './redaction.ts';
import { isPlain, parametersOf } from './statement-text.ts';

const empty = new Uint8Array(0);
/** Answered by the server's own error 26000 / 34000, whatever SQL did before: nothing can be named "". */
const closeUnnamed = {
  statement: encodeTarget(frontendType.close, { what: 'statement', name: empty }),
  portal: encodeTarget(frontendType.close, { what: 'portal', name: empty }),
};

export interface QuestionsOptions {
  messageBytesMax: number;
  redactor: Redactor;
}

const isTextWithheld = (redaction: Redaction | undefined): boolean =>
  redaction !== undefined && redaction.redactions.length > 0;

/**
 * Reads what the client asks: appends it to the record, expects its answer, and says which bytes go on to the server.
 *
 * Prepared statements are **always bound through the server's unnamed statement**, freshly parsed from the recorded text where it is
 * not surely there already: SQL (DO, functions) can redefine any named statement unseen, but cannot name the unnamed one
 * (docs/decisions/0010-prepared-names.md).
 */
export class Questions {
  readonly #talk: Conversation;
  readonly #forward: (bytes: Uint8Array) => void;
  readonly #messageBytesMax: number;
  readonly #redactor: Redactor;
  readonly #copyIn: CopyIn;
  /** Set once nothing is taken any more. */
  #refusal: { errorCode: string; errorMessage: string } | undefined;
  isTerminated = false;

  constructor(
    talk: Conversation,
    forward: (bytes: Uint8Array) => void,
    { messageBytesMax, redactor }: QuestionsOptions,
  ) {
    this.#talk = talk;
    this.#forward = (bytes) => {
      if (!this.#refusal) forward(bytes);
    };
    this.#messageBytesMax = messageBytesMax;
    this.#redactor = redactor;
    this.#copyIn = new CopyIn({
      talk,
      forward,
      append: (statement) => this.#append(statement),
      terminate: (message, body) => this.#terminate(message, body),
    });
  }

  endOfChunk(): void {
    this.#copyIn.flush();
  }

  /** A whole message, to be read now. Throws ProtocolError. */
  accept(type: number, message: Uint8Array): void {
    if (this.isTerminated) throw new ProtocolError('after-terminate', 'a message after Terminate');
    if (type !== frontendType.copyData) this.#copyIn.flush();
    if (this.#talk.copyIn !== undefined) return this.#copyIn.accept(type, message);
    this.#checkSkipping(type);
    const body = message.subarray(headerBytes);
    switch (type) {
      case frontendType.query:
        return this.#query(message, body);
      case frontendType.parse:
        return this.#parse(message, body);
      case frontendType.bind:
        return this.#bind(message, body);
      case frontendType.execute:
        return this.#execute(message, body);
      case frontendType.describe:
        return this.#describe(message, body);
      case frontendType.close:
        return this.#close(message, body);
      case frontendType.functionCall:
        return this.#functionCall(message, body);
      case frontendType.sync:
        return this.#sync(message, body);
      case frontendType.flush:
        decodeEmpty(body);
        return this.#forward(message); // makes the server answer now; changes nothing
      case frontendType.terminate:
        return this.#terminate(message, body);
      default:
        return checkCopyEnd(type, body); // left of a COPY that failed: the server would ignore it too
    }
  }

  /** A whole message that would begin something: recorded with what came of it, and neither forwarded nor acted on. The last one. */
  refuse(type: number, message: Uint8Array, error: { errorCode: string; errorMessage: string }): void {
    this.endOfChunk();
    this.#refusal = error;
    this.#talk.isSkipping = true; // nothing it says changes what is known
    this.accept(type, message);
  }

  /** After a COPY that failed with a Sync sent ahead, nobody can tell what the server skips until it says ReadyForQuery or gets a Sync. */
  #checkSkipping(type: number): void {
    const { isSkipping, strayReadies } = this.#talk;
    if (!isSkipping || strayReadies === 0 || runsNothing.has(type)) return;
    throw new ProtocolError(
      'unclear-after-copy',
      'a failed COPY must be followed by a Sync before anything else is sent',
    );
  }

  // ── simple ────────────────────────────────────────────────────────────────

  #query(message: Uint8Array, body: Uint8Array): void {
    const talk = this.#talk;
    const text = decodeQuery(body);
    const redaction = this.#redactor.redactText(text, talk);
    const entry = this.#append({ kind: 'statement', verb: 'query', expectsOutcome: true, text }, redaction);
    this.#forward(message);
    if (this.#isSkipped(entry)) return;
    talk.unnamed = undefined; // a Query drops the server's unnamed statement
    talk.acts++;
    talk.expect({ kind: 'query', entry, expectsOutcome: true, isWithheld: isTextWithheld(redaction) });
    talk.segment++;
  }

  #functionCall(message: Uint8Array, body: Uint8Array): void {
    const { functionId, formats, values, resultFormat } = decodeFunctionCall(body);
    const parameters = values.map((value, index) => ({ type: 0, format: formatOf(formats, index), value }));
    const entry = this.#append({
      kind: 'statement',
      verb: 'function-call',
      expectsOutcome: true,
      functionId,
      parameters,
      resultFormats: [resultFormat],
    });
    this.#forward(message);
    if (this.#isSkipped(entry)) return;
    this.#talk.acts++;
    this.#talk.expect({ kind: 'function-call', entry, expectsOutcome: true });
    this.#talk.segment++;
  }

  // ── extended ──────────────────────────────────────────────────────────────

  #parse(message: Uint8Array, body: Uint8Array): void {
    const { name, text, types } = decodeParse(body);
    const redaction = this.#redactor.redactText(text, this.#talk, name);
    const isWithheld = isTextWithheld(redaction);
    const entry = this.#append(
      { kind: 'statement', verb: 'parse', expectsOutcome: false, statementName: name, text, parameterTypes: types },
      redaction,
    );
    this.#forward(message);
    if (this.#talk.isSkipping) return;
    const definition: Definition = {
      parse: entry,
      text: Uint8Array.prototype.slice.call(text),
      types,
      reading: isPlain(text) ? undefined : this.#talk.reading,
      secrets: redaction?.parameters,
      isWithheld,
    };
    this.#talk.statements.send(statementKey(name), definition, this.#talk.segment);
    this.#checkNames();
    const by = this.#talk.expect({ kind: 'parse', entry, changes: 'statement', expectsOutcome: false, isWithheld });
    if (name.length === 0) this.#talk.unnamed = { definition, segment: this.#talk.segment, by, isAnswered: false };
  }

  #bind(message: Uint8Array, body: Uint8Array): void {
    const talk = this.#talk;
    const bind = decodeBind(body);
    const portal = portalKey(bind.portal);
    const definition = this.#definitionOf(bind.statement);
    const { parameters, redactions } = this.#parameters(bind, definition);
    const isWithheld = definition?.isWithheld === true || redactions.length > 0;
    const entry = this.#append({
      kind: 'statement',
      verb: 'bind',
      expectsOutcome: false,
      statementName: bind.statement,
      portalName: bind.portal,
      parameters,
      resultFormats: bind.resultFormats,
      ...(definition ? { of: definition.parse } : {}),
      ...(redactions.length > 0 ? { redactions } : {}),
    });
    if (talk.isSkipping) return this.#forward(message);
    const error = definition ? undefined : this.#unknown('statement', bind.statement, entry);
    if (definition) this.#ensureUnnamed(definition, entry);
    if (bind.statement.length === 0) this.#forward(message);
    else this.#forwardUnnamedBind(bind, body);
    talk.acts++; // planning runs functions that say they are immutable
    talk.portals.send(portal, { bind: entry, definition, surelyAt: talk.acts, isWithheld }, talk.segment);
    this.#checkNames();
    const item = { kind: 'bind', entry, changes: 'portal', expectsOutcome: false, isWithheld } as const;
    talk.expect({ ...item, ...(error ? { error } : {}) });
  }

  /** As the record gets them. In a segment that is skipped the name stands for what was sent last, not for what the server knows. */
  #parameters(bind: Bind, definition: Definition | undefined): ReturnType<Redactor['redactParameters']> {
    const parameters = parametersOf(bind, definition);
    const sent = this.#redactor.secretsOf(bind.statement);
    const secrets = this.#talk.isSkipping || !definition ? (sent ?? definition?.secrets) : definition.secrets;
    return secrets ? this.#redactor.redactParameters(parameters, secrets) : { parameters, redactions: [] };
  }

  #execute(message: Uint8Array, body: Uint8Array): void {
    const talk = this.#talk;
    const { portal: name, rowLimit } = decodeExecute(body);
    const portal = talk.portals.get(portalKey(name), talk.segment);
    // The unnamed portal cannot be named by SQL.
    const isSure = name.length === 0 || portal?.surelyAt === talk.acts;
    const entry = this.#append({
      kind: 'statement',
      verb: 'execute',
      expectsOutcome: true,
      portalName: name,
      rowLimit,
      ...(portal ? { of: portal.bind } : {}),
      ...(portal && !isSure ? { resolved: false } : {}),
    });
    if (this.#isSkipped(entry)) return this.#forward(message);
    const error = portal ? undefined : this.#unknown('portal', name, entry);
    this.#forward(portal ? message : encodeExecute({ portal: empty, rowLimit }));
    talk.acts++;
    if (portal && isSure) portal.surelyAt = talk.acts; // its own running does not change what it is
    const isWithheld = portal?.isWithheld === true;
    const item = { kind: 'execute', entry, expectsOutcome: true, isWithheld, definition: portal?.definition } as const;
    talk.expect({ ...item, ...(error ? { error } : {}) });
  }

  #describe(message: Uint8Array, body: Uint8Array): void {
    const talk = this.#talk;
    const { what, name } = decodeTarget(body);
    if (what === 'portal') portalKey(name); // refused before it is recorded
    const definition = what === 'statement' ? this.#definitionOf(name) : undefined;
    const named = what === 'statement' ? { statementName: name } : { portalName: name };
    const entry = this.#append({
      kind: 'statement',
      verb: 'describe',
      expectsOutcome: false,
      ...named,
      ...(definition ? { of: definition.parse } : {}),
    });
    if (talk.isSkipping) return this.#forward(message);
    if (what === 'portal') {
      this.#forward(message);
      const { definition: bound, isWithheld = false } = talk.portals.get(portalKey(name), talk.segment) ?? {};
      talk.expect({ kind: 'describe', entry, expectsOutcome: false, isWithheld, definition: bound });
      return;
    }
    const error = definition ? undefined : this.#unknown('statement', name, entry);
    if (definition) this.#ensureUnnamed(definition, entry);
    this.#forward(name.length === 0 ? message : encodeTarget(frontendType.describe, { what, name: empty }));
    const isWithheld = definition?.isWithheld === true;
    const item = { kind: 'describe', entry, expectsOutcome: false, isWithheld, definition } as const;
    talk.expect({ ...item, ...(definition ? { described: definition } : {}), ...(error ? { error } : {}) });
  }

  #close(message: Uint8Array, body: Uint8Array): void {
    const talk = this.#talk;
    const { what, name } = decodeTarget(body);
    if (what === 'portal') portalKey(name); // refused before it is forwarded
    const named = what === 'statement' ? { statementName: name } : { portalName: name };
    const entry = this.#append({ kind: 'statement', verb: 'close', expectsOutcome: false, ...named });
    this.#forward(message);
    if (talk.isSkipping) return;
    if (what === 'statement') talk.statements.send(statementKey(name), null, talk.segment);
    else talk.portals.send(portalKey(name), null, talk.segment);
    if (what === 'statement' && name.length === 0) talk.unnamed = undefined;
    talk.expect({ kind: 'close', entry, changes: what, expectsOutcome: false });
  }

  #sync(message: Uint8Array, body: Uint8Array): void {
    decodeEmpty(body);
    const entry = this.#append({ kind: 'statement', verb: 'sync', expectsOutcome: false });
    this.#forward(message);
    this.#talk.isSkipping = false;
    this.#talk.expect({ kind: 'sync', entry, expectsOutcome: false });
    this.#talk.segment++;
  }

  #terminate(message: Uint8Array, body: Uint8Array): void {
    decodeEmpty(body);
    this.#append({ kind: 'statement', verb: 'terminate', expectsOutcome: false });
    this.#forward(message);
    this.isTerminated = true;
  }

  // ── names ─────────────────────────────────────────────────────────────────

  /**
   * What a statement's name stands for. Nothing, if the server would now cut the same bytes into other tokens than those that were
   * recorded: it has to be sent again.
   */
  #definitionOf(name: Uint8Array): Definition | undefined {
    const definition = this.#talk.statements.get(statementKey(name), this.#talk.segment);
    if (definition?.reading !== undefined && definition.reading !== this.#talk.reading) return undefined;
    return definition;
  }

  #checkNames(): void {
    if (this.#talk.statements.bytes + this.#talk.portals.bytes <= this.#messageBytesMax) return;
    throw new ProtocolError(
      'too-many-names',
      `prepared statements and portals of over ${this.#messageBytesMax} bytes on one connection; close those that are done with`,
    );
  }

  /** Makes the server's unnamed statement this definition, unless it surely is: answered, or sent in this very segment. */
  #ensureUnnamed(definition: Definition, owner: Sequence): void {
    const talk = this.#talk;
    const { unnamed, segment } = talk;
    if (unnamed?.definition === definition && (unnamed.isAnswered || unnamed.segment === segment)) return;
    const { text, types, isWithheld } = definition;
    this.#forward(encodeParse({ name: empty, text, types }));
    const by = talk.expect({ kind: 'parse', entry: owner, isOurs: true, expectsOutcome: false, isWithheld });
    talk.unnamed = { definition, segment, by, isAnswered: false };
  }

  /** The same Bind, with the statement's name left empty; values are not copied. */
  #forwardUnnamedBind(bind: Bind, body: Uint8Array): void {
    const rest = body.subarray(bind.portal.length + 1 + bind.statement.length + 1);
    const head = encodeMessage(frontendType.bind, ...cstring(bind.portal), ...cstring(empty));
    Buffer.from(head.buffer, head.byteOffset).writeInt32BE(head.length - 1 + rest.length, 1);
    this.#forward(head);
    this.#forward(rest);
  }

  /** A name that came from SQL, or from nowhere: the server is made to answer with its own error; nothing runs. */
  #unknown(what: 'statement' | 'portal', name: Uint8Array, of: Sequence): NonNullable<Awaited['error']> {
    const shown = what === 'statement' ? `prepared statement "${textOf(name)}"` : `portal "${textOf(name)}"`;
    const message = `${shown} is not known to hoop`;
    this.#talk.sink.append({ kind: 'refusal', reason: `unknown-${what}`, message, of });
    this.#forward(closeUnnamed[what]);
    if (what === 'statement') this.#talk.unnamed = undefined;
    this.#talk.expect({ kind: 'close', entry: of, isOurs: true, expectsOutcome: false });
    const hint =
      'Names made by SQL (PREPARE, DECLARE CURSOR) are used by SQL (EXECUTE, FETCH); for the extended protocol, send Parse and Bind.';
    return { code: what === 'statement' ? '26000' : '34000', message, hint };
  }

  // ── shared ────────────────────────────────────────────────────────────────

  /** The statement is the caller's last use of it. */
  #append(statement: StatementEvent, redaction?: Redaction): Sequence {
    const { sink, encoding } = this.#talk;
    if (encoding !== 'UTF8' && statement.text !== undefined) statement.encoding = encoding;
    if (redaction && isTextWithheld(redaction)) {
      statement.text = redaction.text;
      statement.redactions = redaction.redactions;
    }
    if (!this.#refusal) return sink.append(statement);
    statement.expectsOutcome = true;
    const entry = sink.append(statement);
    sink.append({ kind: 'outcome', of: entry, status: 'refused', ...this.#refusal });
    return entry;
  }

  /** After an error the server discards everything up to the Sync: recorded, forwarded, and *skipped*. */
  #isSkipped(of: Sequence): boolean {
    if (!this.#talk.isSkipping) return false;
    if (this.#refusal) return true; // that is its outcome
    this.#talk.sink.append({ kind: 'outcome', of, status: 'skipped' });
    return true;
  }
}
