import type { StatementEvent } from '../event.ts';
import {
  bytesOf,
  cstring,
  encodeBind,
  encodeExecute,
  encodeFunctionCall,
  encodeMessage,
  encodeParse,
  encodeTarget,
  frontendType,
} from './messages.ts';

const empty = new Uint8Array(0);

/** The message that was recorded as this event: decoding it gives the same event again. Undefined for a verb that is none of a client's. */
export function encodeStatement(event: StatementEvent): Uint8Array | undefined {
  const { statementName = empty, portalName = empty, text = empty, resultFormats = [] } = event;
  const { formats, values } = parametersOf(event);
  switch (event.verb) {
    case 'query':
      return encodeMessage(frontendType.query, ...cstring(text));
    case 'parse':
      return encodeParse({ name: statementName, text, types: event.parameterTypes ?? [] });
    case 'bind':
      return encodeBind({ portal: portalName, statement: statementName, formats, values, resultFormats });
    case 'execute':
      return encodeExecute({ portal: portalName, rowLimit: event.rowLimit ?? 0 });
    case 'describe':
      return encodeTarget(frontendType.describe, targetOf(event));
    case 'close':
      return encodeTarget(frontendType.close, targetOf(event));
    case 'function-call':
      return encodeFunctionCall({
        functionId: event.functionId ?? 0,
        formats,
        values,
        resultFormat: resultFormats[0] ?? 0,
      });
    case 'sync':
      return encodeMessage(frontendType.sync);
    case 'copy-done':
      return encodeMessage(frontendType.copyDone);
    case 'copy-fail':
      return encodeMessage(frontendType.copyFail, ...cstring(text));
    case 'terminate':
      return encodeMessage(frontendType.terminate);
    default:
      return undefined;
  }
}

/** One format for each value, or none where all are text. */
function parametersOf({ parameters = [] }: StatementEvent): { formats: number[]; values: (Uint8Array | null)[] } {
  const formats = parameters.map(({ format }) => format);
  return {
    formats: formats.every((format) => format === 0) ? [] : formats,
    values: parameters.map(({ value }) => value),
  };
}

const targetOf = ({ statementName, portalName }: StatementEvent) =>
  statementName === undefined
    ? ({ what: 'portal', name: portalName ?? empty } as const)
    : ({ what: 'statement', name: statementName } as const);

/** Makes the server say what it has to say; changes nothing. */
export const encodeFlush = (): Uint8Array => encodeMessage(frontendType.flush);

/**
 * Fails, and runs nothing: stands in the place of a statement that was cancelled, so that its transaction is aborted and the rest of its
 * pipeline skipped as they were.
 */
export function encodeFailure(verb: string): { verb: string; bytes: Uint8Array } {
  const text = bytesOf('this statement was cancelled when it was recorded');
  if (verb === 'query') return { verb, bytes: encodeMessage(frontendType.query, ...cstring(text)) };
  return { verb: 'parse', bytes: encodeParse({ name: empty, text, types: [] }) };
}
