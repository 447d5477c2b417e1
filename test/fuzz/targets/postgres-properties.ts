import type { Event, StatementEvent } from '../../../src/protocol/event.ts';
import {
  cstring,
  decodeBind,
  decodeCopyFail,
  decodeEmpty,
  decodeExecute,
  decodeFunctionCall,
  decodeParse,
  decodeQuery,
  decodeTarget,
  encodeBind,
  encodeExecute,
  encodeFunctionCall,
  encodeMessage,
  encodeParse,
  encodeTarget,
  formatOf,
  frontendType,
  headerBytes,
  type Bind,
} from '../../../src/protocol/postgres/messages.ts';
import { Finding, type Input } from '../engine/target.ts';
import { difference, nameOf, type Transcript } from './transcript.ts';

/** Whole messages by their length fields; what is none comes last, as it is. */
export function framesOf(bytes: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  let at = 0;
  while (bytes.length - at >= headerBytes) {
    const length = ((bytes[at + 1]! << 24) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 8) | bytes[at + 4]!) >>> 0;
    if (length < 4 || at + 1 + length > bytes.length) break;
    frames.push(bytes.subarray(at, at + 1 + length));
    at += 1 + length;
  }
  if (at < bytes.length) frames.push(bytes.subarray(at));
  return frames;
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
const isEmptyName = (name: Uint8Array | undefined): boolean => name?.length === 0;

/** Decodes and encodes again: `encode(decode(x)) = x` for all that is forwarded. */
function encodedAgain(frame: Uint8Array): Uint8Array {
  const type = frame[0]!;
  const body = frame.subarray(headerBytes);
  switch (type) {
    case frontendType.query:
      return encodeMessage(type, ...cstring(decodeQuery(body)));
    case frontendType.parse:
      return encodeParse(decodeParse(body));
    case frontendType.bind:
      return encodeBind(decodeBind(body));
    case frontendType.execute:
      return encodeExecute(decodeExecute(body));
    case frontendType.describe:
    case frontendType.close:
      return encodeTarget(type, decodeTarget(body));
    case frontendType.functionCall:
      return encodeFunctionCall(decodeFunctionCall(body));
    case frontendType.copyFail:
      return encodeMessage(type, ...cstring(decodeCopyFail(body)));
    case frontendType.copyData:
      return encodeMessage(type, body);
    case frontendType.sync:
    case frontendType.flush:
    case frontendType.terminate:
    case frontendType.copyDone:
      decodeEmpty(body);
      return encodeMessage(type);
    default:
      throw new Finding(`a message of type ${type} was forwarded`);
  }
}

/**
 * What was forwarded is what was recorded, in the same order, with nothing between but what decision 0010 allows: a Parse of recorded
 * text into the unnamed statement, a Close of "" that makes the server fail, and Flush.
 */
export function checkForwarded({ events, toResource }: Transcript): void {
  const frames = framesOf(Buffer.concat(toResource));
  for (const frame of frames)
    if (!same(encodedAgain(frame), frame)) throw new Finding('what was forwarded does not encode as it was decoded');
  let at = 0;
  for (const [sequence, event] of events.entries()) {
    if (event.kind === 'data') at = afterData(frames, at, event.bytes);
    if (event.kind !== 'statement' || isRefused(events, sequence)) continue;
    const hidesName = events[sequence + 1]?.kind === 'refusal';
    while (frames[at] && isOwn(frames[at]!, event, events)) at++;
    const frame = frames[at++];
    if (!frame || !isAsRecorded(frame, event, hidesName))
      throw new Finding(`event ${sequence} (${nameOf(event)}) is not what was forwarded`);
  }
  for (const frame of frames.slice(at))
    if (frame[0] !== frontendType.flush) throw new Finding(`type ${frame[0]} was forwarded and not recorded`);
}

/** Turned away by the gateway before it was sent on. */
const isRefused = (events: Event[], sequence: number): boolean =>
  events.some((event) => event.kind === 'outcome' && event.of === sequence && event.status === 'refused');

function afterData(frames: Uint8Array[], from: number, bytes: Uint8Array): number {
  let at = from;
  for (const recorded of framesOf(bytes)) {
    while (frames[at]?.[0] === frontendType.flush) at++;
    const frame = frames[at++];
    if (!frame || !same(frame, recorded)) throw new Finding('COPY data that was recorded is not what was forwarded');
  }
  return at;
}

/** What the gateway adds before a statement: see `checkForwarded`. */
function isOwn(frame: Uint8Array, event: StatementEvent, events: Event[]): boolean {
  const body = frame.subarray(headerBytes);
  if (frame[0] === frontendType.flush) return true;
  const takesNames = event.verb === 'bind' || event.verb === 'describe' || event.verb === 'execute';
  if (!takesNames) return false;
  if (frame[0] === frontendType.close) return isEmptyName(decodeTarget(body).name);
  if (frame[0] !== frontendType.parse || event.of === undefined) return false;
  const { name, text, types } = decodeParse(body);
  const parse = events[event.of] as StatementEvent;
  if (!isEmptyName(name)) return false;
  return (
    parse.redactions !== undefined || (same(text, parse.text!) && difference(types, parse.parameterTypes) === undefined)
  );
}

function isAsRecorded(frame: Uint8Array, event: StatementEvent, hidesName: boolean): boolean {
  const type = frame[0]!;
  const body = frame.subarray(headerBytes);
  if (event.redactions !== undefined) return true;
  switch (event.verb) {
    case 'query':
      return type === frontendType.query && same(decodeQuery(body), event.text!);
    case 'parse':
      return (
        type === frontendType.parse &&
        difference(decodeParse(body), { name: event.statementName, text: event.text, types: event.parameterTypes }) ===
          undefined
      );
    case 'bind':
      return type === frontendType.bind && isBind(decodeBind(body), event);
    case 'execute': {
      const { portal, rowLimit } = decodeExecute(body);
      const isNamed = same(portal, event.portalName!) || (hidesName && isEmptyName(portal));
      return type === frontendType.execute && isNamed && rowLimit === event.rowLimit;
    }
    case 'describe':
    case 'close': {
      if (type !== frontendType[event.verb]) return false;
      const { what, name } = decodeTarget(body);
      const recorded = what === 'statement' ? event.statementName : event.portalName;
      const isUnnamed = event.verb === 'describe' && what === 'statement' && isEmptyName(name);
      return recorded !== undefined && (isUnnamed || same(name, recorded));
    }
    case 'function-call': {
      const { functionId, formats, values, resultFormat } = decodeFunctionCall(body);
      const parameters = values.map((value, index) => ({ type: 0, format: formatOf(formats, index), value }));
      const recorded = [event.functionId, event.parameters, event.resultFormats];
      return difference([functionId, parameters, [resultFormat]], recorded) === undefined;
    }
    case 'copy-fail':
      return type === frontendType.copyFail && same(decodeCopyFail(body), event.text!);
    default:
      return (
        type ===
        { sync: frontendType.sync, terminate: frontendType.terminate, 'copy-done': frontendType.copyDone }[event.verb]
      );
  }
}

function isBind({ portal, statement, formats, values, resultFormats }: Bind, event: StatementEvent): boolean {
  const isNamed = isEmptyName(statement) || same(statement, event.statementName!);
  const recorded = event.parameters!.map(({ format, value }) => ({ format, value }));
  const sent = values.map((value, index) => ({ format: formatOf(formats, index), value }));
  const rest = [portal, resultFormats];
  return isNamed && difference([sent, rest], [recorded, [event.portalName, event.resultFormats]]) === undefined;
}

/** What the client got is what the server sent, in that order, but for answers to the gateway's own messages; and errors of the gateway's. */
export function checkPassedOn({ toClient }: Transcript, input: Input): void {
  const sent = framesOf(Buffer.concat(input.flatMap(({ side, bytes }) => (side === 1 ? [bytes] : []))));
  const got = framesOf(Buffer.concat(toClient));
  let at = 0;
  for (const [index, frame] of got.entries()) {
    const isLast = index === got.length - 1;
    const matches = (one: Uint8Array) => same(one, frame) || (isLast && same(one.subarray(0, frame.length), frame));
    const found = sent.findIndex((one, place) => place >= at && matches(one));
    if (found >= 0) at = found + 1;
    else if (frame[0] !== 'E'.charCodeAt(0))
      throw new Finding(`the client got a message of type ${frame[0]} that the server did not send`);
  }
}
