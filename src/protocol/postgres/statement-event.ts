import type { StatementEvent } from '../event.ts';

/**
 * A statement of which nothing else is known yet. Every property is there from the first, so that all of them have one shape: what is
 * undefined is not in the record.
 */
export const statementEvent = (verb: string, expectsOutcome: boolean): StatementEvent => ({
  kind: 'statement',
  verb,
  expectsOutcome,
  text: undefined,
  of: undefined,
  statementName: undefined,
  portalName: undefined,
  parameterTypes: undefined,
  parameters: undefined,
  resultFormats: undefined,
  rowLimit: undefined,
  arguments: undefined,
  functionId: undefined,
  encoding: undefined,
  resolved: undefined,
  redactions: undefined,
  class: undefined,
});
