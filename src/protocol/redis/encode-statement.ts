import type { StatementEvent } from '../event.ts';
import { nameOf } from './commands.ts';
import { encodeCommand } from './messages.ts';

/** The command that was recorded as this event. Undefined for a login, whose password is not in the record: the connection has its own. */
export function encodeStatement({ arguments: words = [], redactions }: StatementEvent): Uint8Array | undefined {
  const isLogin = nameOf(words) === 'auth' || (nameOf(words) === 'hello' && redactions !== undefined);
  return words.length === 0 || isLogin ? undefined : encodeCommand(words);
}
