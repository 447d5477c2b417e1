import type { Parameter } from '../event.ts';
import { formatOf, type Bind, type FunctionCall } from './messages.ts';
import type { Definition } from './names.ts';

/** Neither a backslash nor a byte over 0x7f: the same tokens whatever the encoding and standard_conforming_strings. */
export function isPlain(text: Uint8Array): boolean {
  // A loop, not `every`: each Parse comes by here, and a call for each byte costs eight times as much.
  for (let index = 0; index < text.length; index++) {
    const byte = text[index]!;
    if (byte >= 0x80 || byte === 0x5c) return false;
  }
  return true;
}

/** Values with the best type known: what the server described, else what the client declared, else 0. */
export function parametersOf(sent: Bind | FunctionCall, definition: Definition | undefined): Parameter[] {
  const { formats, values } = sent;
  const types = definition?.serverTypes ?? definition?.types;
  const parameters: Parameter[] = [];
  for (let index = 0; index < values.length; index++) {
    const type = types === undefined ? 0 : (types[index] ?? 0);
    parameters.push({ type, format: formatOf(formats, index), value: values[index]! });
  }
  return parameters;
}
