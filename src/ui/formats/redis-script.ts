import type { Statement } from '../../shared/api.ts';
import { escapeControl } from '../escape-control.ts';
import type { ScriptCounts } from './sql-script.ts';

/** Words that redis-cli takes for itself at the beginning of a line; a number repeats what follows. */
const ownWords = /^(?:"?(?:quit|exit|connect|clear|help|\?|restart|:set|:get)"?(?:\s|$)|"?[+-]?\d|:|\?)/i;
/** They would wait for ever, or turn the connection into something else. */
const waits = /^"?(?:subscribe|psubscribe|ssubscribe|monitor|hello|auth|reset|client|sync|psync)"?(?:\s|$)/i;

/**
 * A session of Redis as lines for redis-cli. It has no comments: what is left out is counted, and who writes the script says so. Throws
 * nothing of its own.
 */
export async function* redisScript(statements: AsyncIterable<Statement>, counts: ScriptCounts): AsyncGenerator<string> {
  for await (const statement of statements) {
    const line = redisLine(statement);
    if (line === undefined) counts.left++;
    else counts.written++;
    if (line !== undefined) yield `${line}\n`;
  }
}

export function redisLine({ text, verb, outcome, erased, redactions }: Statement): string | undefined {
  if (verb !== 'command' || text === null || erased || redactions) return undefined;
  if (outcome === null || !['ok', 'error'].includes(outcome.status)) return undefined;
  // The text is quoted as redis-cli quotes; what it would take for itself has no other way in.
  return ownWords.test(text) || waits.test(text) || escapeControl(text) !== text ? undefined : text;
}
