import { ProtocolError } from '../../shared/errors.ts';
import type { ByteRuns } from '../byte-runs.ts';
import type { Sequence, StatementEvent } from '../event.ts';
import type { Awaited } from './awaited.ts';
import { runsNothing } from './client-messages.ts';
import { isParsedAs, type Conversation } from './conversation.ts';
import { checkCopyEnd, CopyIn } from './copy-in.ts';
import {
  decodeBind,
  decodeEmpty,
  decodeExecute,
  decodeFunctionCall,
  decodeParse,
  decodeQuery,
  decodeTarget,
  encodeExecute,
  encodeParse,
  frontendType,
  headerBytes,
  textOf,
  type Bind,
} from './messages.ts';
import { portalKey, statementKey, type Definition } from './names.ts';
import type { Redaction, Redactor } from './redaction.ts';
import { plainOutcome } from './result.ts';
import { statementEvent } from './statement-event.ts';
import { isPlain, parametersOf } from './statement-text.ts';
import { closeUnnamed, describeUnnamed, empty, unnamedBindHead } from './unnamed.ts';

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
  readonly #toResource: ByteRuns;
  readonly #messageBytesMax: number;
  readonly #redactor: Redactor;
  readonly #copyIn: CopyIn;
  /** Set once nothing is taken any more. */
  #refusal: { errorCode: string; errorMessage: string } | undefined = undefined;
  isTerminated = false;

  constructor(talk: Conversation, toResource: ByteRuns, { messageBytesMax, redactor }: QuestionsOptions) {
    this.#talk = talk;
    this.#toResource = toResource;
    this.#messageBytesMax = messageBytesMax;
    this.#redactor = redactor;
    this.#copyIn = new CopyIn(talk, toResource, this);
  }

  endOfChunk(): void {
    this.#copyIn.flush();
  }

  /** A whole message, or a run of CopyData, to be read now. Throws ProtocolError. */
  accept(type: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.isTerminated) throw new ProtocolError('after-terminate', 'a message after Terminate');
    if (type !== frontendType.copyData) this.#copyIn.flush();
    if (this.#talk.copyIn !== undefined) return this.#copyIn.accept(type, bytes, start, end);
    this.#checkSkipping(type);
    switch (type) {
      case frontendType.query:
        return this.#query(bytes, start, end);
      case frontendType.parse:
        return this.#parse(bytes, start, end);
      case frontendType.bind:
        return this.#bind(bytes, start, end);
      case frontendType.execute:
        return this.#execute(bytes, start, end);
      case frontendType.describe:
        return this.#describe(bytes, start, end);
      case frontendType.close:
        return this.#close(bytes, start, end);
      case frontendType.functionCall:
        return this.#functionCall(bytes, start, end);
      case frontendType.sync:
        return this.#sync(bytes, start, end);
      case frontendType.flush:
        decodeEmpty(bytes, start + headerBytes, end);
        return this.#forward(bytes, start, end); // makes the server answer now; changes nothing
      case frontendType.terminate:
        return this.terminate(bytes, start, end);
      default:
        return checkCopyEnd(type, bytes, start + headerBytes, end); // left of a COPY that failed: the server would ignore it too
    }
  }

  /** A whole message that would begin something: recorded with what came of it, and neither forwarded nor acted on. The last one. */
  refuse(
    error: { errorCode: string; errorMessage: string },
    type: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    this.endOfChunk();
    this.#refusal = error;
    this.#talk.isSkipping = true; // nothing it says changes what is known
    this.accept(type, bytes, start, end);
  }

  /** After a COPY that failed with a Sync sent ahead, nobody can tell what the server skips until it says ReadyForQuery or gets a Sync. */
  #checkSkipping(type: number): void {
    if (!this.#talk.isSkipping || this.#talk.strayReadies === 0 || runsNothing(type)) return;
    throw new ProtocolError(
      'unclear-after-copy',
      'a failed COPY must be followed by a Sync before anything else is sent',
    );
  }

  // ── simple ────────────────────────────────────────────────────────────────

  #query(bytes: Uint8Array, start: number, end: number): void {
    const talk = this.#talk;
    const text = decodeQuery(bytes, start + headerBytes, end);
    const redaction = this.#redactor.redactText(text, talk);
    const statement = statementEvent('query', true);
    statement.text = text;
    const entry = this.append(statement, redaction);
    this.#forward(bytes, start, end);
    if (this.#isSkipped(entry)) return;
    talk.unnamed = undefined; // a Query drops the server's unnamed statement
    talk.acts++;
    talk.expect('query', entry).isWithheld = isTextWithheld(redaction);
    talk.segment++;
  }

  #functionCall(bytes: Uint8Array, start: number, end: number): void {
    const call = decodeFunctionCall(bytes, start + headerBytes, end);
    const statement = statementEvent('function-call', true);
    statement.functionId = call.functionId;
    statement.parameters = parametersOf(call, undefined);
    statement.resultFormats = [call.resultFormat];
    const entry = this.append(statement);
    this.#forward(bytes, start, end);
    if (this.#isSkipped(entry)) return;
    this.#talk.acts++;
    this.#talk.expect('function-call', entry);
    this.#talk.segment++;
  }

  // ── extended ──────────────────────────────────────────────────────────────

  #parse(bytes: Uint8Array, start: number, end: number): void {
    const talk = this.#talk;
    const { name, text, types } = decodeParse(bytes, start + headerBytes, end);
    const redaction = this.#redactor.redactText(text, talk, name);
    const isWithheld = isTextWithheld(redaction);
    const statement = statementEvent('parse', false);
    statement.statementName = name;
    statement.text = text;
    statement.parameterTypes = types;
    const entry = this.append(statement, redaction);
    this.#forward(bytes, start, end);
    if (talk.isSkipping) return;
    const definition: Definition = {
      parse: entry,
      text: Uint8Array.prototype.slice.call(text),
      types,
      reading: isPlain(text) ? undefined : talk.reading,
      secrets: redaction?.parameters,
      isWithheld,
      serverTypes: undefined,
    };
    talk.statements.send(statementKey(name), definition, talk.segment);
    this.#checkNames();
    const by = talk.expect('parse', entry);
    by.changes = 'statement';
    by.isWithheld = isWithheld;
    if (name.length === 0) talk.unnamed = { definition, segment: talk.segment, by, since: entry };
  }

  #bind(bytes: Uint8Array, start: number, end: number): void {
    const talk = this.#talk;
    const bind = decodeBind(bytes, start + headerBytes, end);
    const portal = portalKey(bind.portal);
    const definition = this.#definitionOf(bind.statement);
    const statement = statementEvent('bind', false);
    statement.of = definition?.parse;
    statement.statementName = bind.statement;
    statement.portalName = bind.portal;
    statement.resultFormats = bind.resultFormats;
    this.#bindParameters(statement, bind, definition);
    const isWithheld = definition?.isWithheld === true || statement.redactions !== undefined;
    const entry = this.append(statement);
    if (talk.isSkipping) return this.#forward(bytes, start, end);
    const error = definition ? undefined : this.#unknown('statement', bind.statement, entry);
    if (definition) this.#ensureUnnamed(definition, entry);
    if (bind.statement.length === 0) this.#forward(bytes, start, end);
    else this.#forwardUnnamedBind(bind, bytes, start, end);
    talk.acts++; // planning runs functions that say they are immutable
    talk.portals.send(portal, { bind: entry, definition, surelyAt: talk.acts, isWithheld }, talk.segment);
    this.#checkNames();
    const item = talk.expect('bind', entry);
    item.changes = 'portal';
    item.isWithheld = isWithheld;
    item.error = error;
  }

  /** As the record gets them. In a segment that is skipped the name stands for what was sent last, not for what the server knows. */
  #bindParameters(statement: StatementEvent, bind: Bind, definition: Definition | undefined): void {
    const parameters = parametersOf(bind, definition);
    statement.parameters = parameters;
    const sent = this.#redactor.secretsOf(bind.statement);
    const secrets = this.#talk.isSkipping || !definition ? (sent ?? definition?.secrets) : definition.secrets;
    if (secrets === undefined) return;
    const redacted = this.#redactor.redactParameters(parameters, secrets);
    statement.parameters = redacted.parameters;
    if (redacted.redactions.length > 0) statement.redactions = redacted.redactions;
  }

  #execute(bytes: Uint8Array, start: number, end: number): void {
    const talk = this.#talk;
    const { portal: name, rowLimit } = decodeExecute(bytes, start + headerBytes, end);
    const portal = talk.portals.get(portalKey(name), talk.segment);
    // The unnamed portal cannot be named by SQL.
    const isSure = name.length === 0 || portal?.surelyAt === talk.acts;
    const statement = statementEvent('execute', true);
    statement.of = portal?.bind;
    statement.portalName = name;
    statement.rowLimit = rowLimit;
    if (portal && !isSure) statement.resolved = false;
    const entry = this.append(statement);
    if (this.#isSkipped(entry)) return this.#forward(bytes, start, end);
    const error = portal ? undefined : this.#unknown('portal', name, entry);
    if (portal) this.#forward(bytes, start, end);
    else this.#forward(encodeExecute({ portal: empty, rowLimit }));
    talk.acts++;
    if (portal && isSure) portal.surelyAt = talk.acts; // its own running does not change what it is
    const item = talk.expect('execute', entry);
    item.isWithheld = portal?.isWithheld === true;
    item.definition = portal?.definition;
    item.error = error;
  }

  #describe(bytes: Uint8Array, start: number, end: number): void {
    const talk = this.#talk;
    const { what, name } = decodeTarget(bytes, start + headerBytes, end);
    if (what === 'portal') return this.#describePortal(name, bytes, start, end);
    const definition = this.#definitionOf(name);
    const statement = statementEvent('describe', false);
    statement.of = definition?.parse;
    statement.statementName = name;
    const entry = this.append(statement);
    if (talk.isSkipping) return this.#forward(bytes, start, end);
    const error = definition ? undefined : this.#unknown('statement', name, entry);
    if (definition) this.#ensureUnnamed(definition, entry);
    if (name.length === 0) this.#forward(bytes, start, end);
    else this.#forward(describeUnnamed);
    const item = talk.expect('describe', entry);
    item.isWithheld = definition?.isWithheld === true;
    item.definition = definition;
    item.described = definition;
    item.error = error;
  }

  #describePortal(name: Uint8Array, bytes: Uint8Array, start: number, end: number): void {
    const talk = this.#talk;
    const key = portalKey(name); // refused before it is recorded
    const statement = statementEvent('describe', false);
    statement.portalName = name;
    const entry = this.append(statement);
    this.#forward(bytes, start, end);
    if (talk.isSkipping) return;
    const portal = talk.portals.get(key, talk.segment);
    const item = talk.expect('describe', entry);
    item.isWithheld = portal?.isWithheld === true;
    item.definition = portal?.definition;
  }

  #close(bytes: Uint8Array, start: number, end: number): void {
    const talk = this.#talk;
    const { what, name } = decodeTarget(bytes, start + headerBytes, end);
    if (what === 'portal') portalKey(name); // refused before it is forwarded
    const statement = statementEvent('close', false);
    if (what === 'statement') statement.statementName = name;
    else statement.portalName = name;
    const entry = this.append(statement);
    this.#forward(bytes, start, end);
    if (talk.isSkipping) return;
    if (what === 'statement') talk.statements.send(statementKey(name), null, talk.segment);
    else talk.portals.send(portalKey(name), null, talk.segment);
    if (what === 'statement' && name.length === 0) talk.unnamed = undefined;
    talk.expect('close', entry).changes = what;
  }

  #sync(bytes: Uint8Array, start: number, end: number): void {
    decodeEmpty(bytes, start + headerBytes, end);
    const entry = this.append(statementEvent('sync', false));
    this.#forward(bytes, start, end);
    this.#talk.isSkipping = false;
    this.#talk.expect('sync', entry);
    this.#talk.segment++;
  }

  terminate(bytes: Uint8Array, start: number, end: number): void {
    decodeEmpty(bytes, start + headerBytes, end);
    this.append(statementEvent('terminate', false));
    this.#forward(bytes, start, end);
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
    const isSure = unnamed !== undefined && (unnamed.by === undefined || unnamed.segment === segment);
    if (isSure && isParsedAs(unnamed, definition)) return;
    const { text, types, isWithheld } = definition;
    this.#forward(encodeParse({ name: empty, text, types }));
    const by = talk.expect('parse', owner);
    by.isOurs = true;
    by.isWithheld = isWithheld;
    talk.unnamed = { definition, segment, by, since: owner };
  }

  /** The same Bind, with the statement's name left empty. */
  #forwardUnnamedBind({ portal, statement }: Bind, bytes: Uint8Array, start: number, end: number): void {
    const rest = start + headerBytes + portal.length + 1 + statement.length + 1;
    this.#forward(unnamedBindHead(portal, end - rest));
    this.#forward(bytes, rest, end);
  }

  /** A name that came from SQL, or from nowhere: the server is made to answer with its own error; nothing runs. */
  #unknown(what: 'statement' | 'portal', name: Uint8Array, of: Sequence): NonNullable<Awaited['error']> {
    const shown = what === 'statement' ? `prepared statement "${textOf(name)}"` : `portal "${textOf(name)}"`;
    const message = `${shown} is not known to hoop`;
    this.#talk.sink.append({ kind: 'refusal', reason: `unknown-${what}`, message, of });
    this.#forward(closeUnnamed[what]);
    if (what === 'statement') this.#talk.unnamed = undefined;
    this.#talk.expect('close', of).isOurs = true;
    const hint =
      'Names made by SQL (PREPARE, DECLARE CURSOR) are used by SQL (EXECUTE, FETCH); for the extended protocol, send Parse and Bind.';
    return { code: what === 'statement' ? '26000' : '34000', message, hint };
  }

  // ── shared ────────────────────────────────────────────────────────────────

  #forward(bytes: Uint8Array, start = 0, end = bytes.length): void {
    if (this.#refusal === undefined) this.#toResource.add(bytes, start, end);
  }

  /** The statement is the caller's last use of it. */
  append(statement: StatementEvent, redaction?: Redaction): Sequence {
    const { sink, encoding } = this.#talk;
    if (encoding !== 'UTF8' && statement.text !== undefined) statement.encoding = encoding;
    if (redaction !== undefined && isTextWithheld(redaction)) {
      statement.text = redaction.text;
      statement.redactions = redaction.redactions;
    }
    if (this.#refusal === undefined) return sink.append(statement);
    statement.expectsOutcome = true;
    const entry = sink.append(statement);
    sink.append({ ...plainOutcome(entry, 'refused', undefined), ...this.#refusal });
    return entry;
  }

  /** After an error the server discards everything up to the Sync: recorded, forwarded, and *skipped*. */
  #isSkipped(of: Sequence): boolean {
    if (!this.#talk.isSkipping) return false;
    if (this.#refusal) return true; // that is its outcome
    this.#talk.sink.append(plainOutcome(of, 'skipped', undefined));
    return true;
  }
}
