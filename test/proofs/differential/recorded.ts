import type { Statement } from '../../../src/shared/api.ts';
import { renderParameter } from '../../../src/protocol/postgres/render.ts';
import { empty, templates } from './texts.ts';
import { kinds, type KindName } from './values.ts';
import type { Ran } from './ran.ts';

/** Names of functions, as the log has them. */
const functions: Record<number, string> = { 177: 'int4pl', 154: 'int4div' };

/** What a recording says that the server did, of one stream. Its statements are those of `hoop replay --json`. */
export const ranIn = (statements: readonly Statement[]): Ran[] => statements.flatMap((one) => ranBy(one));

function ranBy(statement: Statement): Ran[] {
  const { verb, outcome } = statement;
  const status = outcome?.status ?? 'no outcome';
  if (status === 'skipped' || verb === 'refusal') return [];
  const began = verb === 'query' || verb === 'execute' || verb === 'function-call';
  // The server runs nothing, and logs nothing, for an Execute of an empty text.
  if (verb === 'execute' && status === 'ok' && outcome?.tag === undefined && empty.includes(statement.text ?? 'none'))
    return [];
  return [
    {
      text: verb === 'function-call' ? functionOf(statement) : statement.text,
      parameters: verb === 'function-call' ? '' : parametersOf(statement),
      outcome: status === 'suspended' ? 'ok' : (outcome?.errorCode ?? status),
      began,
      ...(statement.resolved === false && { isSure: false as const }),
    },
  ];
}

const functionOf = ({ functionId = 0 }: Statement): string | null =>
  functions[functionId] === undefined ? null : `fastpath function call: "${functions[functionId]}" (OID ${functionId})`;

function parametersOf({ text, parameters }: Statement): string {
  const known = templates.find(({ sql }) => sql === text)?.kinds ?? [];
  return parameters.map((parameter, index) => `$${index + 1} = ${asLogged(typed(parameter, known[index]))}`).join(', ');
}

type Parameter = Statement['parameters'][number];

/** Where the client left a type to the server, and never asked for it, the record has the bytes; the script knows what they are. */
function typed(parameter: Parameter, kind: KindName | undefined): Parameter {
  const { type, format, base64 } = parameter;
  if (type !== 0 || format === 0 || base64 === null || kind === undefined) return parameter;
  const { oid } = kinds[kind];
  return { ...parameter, type: oid, shown: renderParameter(oid, format, Buffer.from(base64, 'base64')) };
}

/** As the server's log writes values: all but NULL in quotes, booleans as their output function has them. */
function asLogged({ type, base64, shown }: Parameter): string {
  if (base64 === null) return 'NULL';
  if (type === 16) return shown.replace(/^'?(t|f).*$/s, "'$1'");
  return shown.startsWith("'") ? shown : `'${shown}'`;
}
