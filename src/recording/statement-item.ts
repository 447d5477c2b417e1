import type { StatementEvent } from '../protocol/event.ts';
import type { Statement } from '../shared/api.ts';
import { asBuffer } from './entry-codec.ts';
import type { EntryHeader } from './entry.ts';
import type { Meaning } from './live-names.ts';

export type RenderParameter = (type: number, format: number, value: Uint8Array) => string;
export type RenderCommand = (words: readonly Uint8Array[]) => string | undefined;

export interface Renderers {
  parameter: RenderParameter;
  /** Of a command that is a list of words; absent: such a command has no text. */
  command?: RenderCommand | undefined;
}

/** One statement as the API shows it, without its outcome. */
export function statementItem(
  session: string,
  { seq, stream, timeMicros }: EntryHeader,
  event: StatementEvent,
  meaning: Meaning,
  render: Renderers,
): Statement {
  const text = meaning.text === null && event.arguments ? render.command?.(event.arguments) : undefined;
  return {
    session,
    seq,
    stream,
    at: new Date(timeMicros / 1000).toISOString(),
    verb: event.verb,
    ...(text === undefined ? textOf(meaning.text) : { text }),
    ...(meaning.encoding !== undefined && { encoding: meaning.encoding }),
    ...(event.resolved === false && { resolved: false as const }),
    parameters: meaning.parameters.map(({ type, format, value }, index) => {
      const known = type || (meaning.parameterTypes[index] ?? 0);
      if (value === null) return { type: known, format, base64: null, shown: 'NULL' };
      return {
        type: known,
        format,
        base64: asBuffer(value).toString('base64'),
        shown: render.parameter(known, format, value),
      };
    }),
    ...(event.portalName && event.portalName.length > 0 && { portal: asBuffer(event.portalName).toString('utf8') }),
    ...(event.rowLimit !== undefined && { rowLimit: event.rowLimit }),
    ...(event.arguments && { arguments: event.arguments.map(shownArgument) }),
    ...(event.arguments && event.of !== undefined && { of: event.of }),
    ...(event.functionId !== undefined && { functionId: event.functionId }),
    ...(meaning.redactions && { redactions: [...meaning.redactions] }),
    outcome: null,
  };
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decoded(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

function textOf(bytes: Uint8Array | null): { text: string | null; textBase64?: string } {
  if (bytes === null) return { text: null };
  const text = decoded(bytes);
  if (text !== undefined) return { text };
  return { text: asBuffer(bytes).toString('utf8'), textBase64: asBuffer(bytes).toString('base64') };
}

const shownArgument = (bytes: Uint8Array): string => decoded(bytes) ?? `\\x${asBuffer(bytes).toString('hex')}`;
