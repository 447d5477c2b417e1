import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Statement } from '../../shared/api.ts';
import { limits } from '../../shared/limits.ts';
import { pause } from '../../shared/pause.ts';

/** One statement a line as they come, and an empty line where none came for a while, so that silence means that somebody is gone. */
export async function* followedLines(
  statements: (signal: AbortSignal) => AsyncIterable<Statement>,
  reader: ServerResponse,
): AsyncGenerator<string> {
  const over = new AbortController();
  once(reader, 'close', { signal: over.signal }).then(
    () => over.abort(),
    () => undefined,
  );
  const lines = statements(over.signal)[Symbol.asyncIterator]();
  try {
    yield '\n';
    for (let next = lines.next(); ;) {
      const idle = new AbortController();
      const first = await Promise.race([next, pause(limits.followBeatMillis, idle.signal)]).finally(() => idle.abort());
      if (first === undefined) {
        yield '\n';
        continue;
      }
      if (first.done === true) return;
      yield `${JSON.stringify(first.value)}\n`;
      next = lines.next();
    }
  } finally {
    over.abort();
  }
}
