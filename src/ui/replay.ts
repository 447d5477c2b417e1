import type { Session, Statement } from '../shared/api.ts';
import { byteSize, count, duration, escapeControl, facts, localTime, offset, tone } from './print.ts';
import { outcomeTone, outcomeWords } from './outcome.ts';
import { resultLines } from './result-lines.ts';
import { sessionDuration, sessionState } from './session-table.ts';

const indent = '    ';

/** What the agent beside the resource says against the record. */
const contradictions = {
  truncated: 'the agent has seen entries of it that are not in this record: its end was cut off',
  altered: 'the agent has seen other entries than those in this record',
} as const;

/** Who, what, when, and how it ended; and what else is known of it. */
export function replayHeader(session: Session, more: readonly (readonly [string, string])[] = []): string {
  const { actor, actorInstance, protocol, agent, startedAt, endedAt, streams, errors, statements } = session;
  const { continues, expiresAt } = session;
  return facts([
    ['session', session.id],
    ['user', session.user],
    ['actor', `${actor === null ? 'not declared' : `${actor} (as declared)`}, instance ${actorInstance}`],
    ['resource', `${session.resource} (${protocol}) through ${agent}`],
    [
      'from',
      endedAt === null
        ? `${localTime(startedAt)}, still running`
        : `${localTime(startedAt)} to ${localTime(endedAt)} (${sessionDuration(session, 0)})`,
    ],
    ...(expiresAt ? [['until', `${localTime(expiresAt)} at the latest`] as const] : []),
    ['state', sessionState(session)],
    ...(session.state in contradictions
      ? [['witness', contradictions[session.state as keyof typeof contradictions]] as const]
      : []),
    ['holds', `${count(statements, 'statement')}, ${count(errors, 'error')}, ${count(streams, 'stream')}`],
    ...(continues === null ? [] : [['continues', continues] as const]),
    ...more,
  ]);
}

/** What is executed: its text says so. */
const plainVerbs: ReadonlySet<string> = new Set(['query', 'execute', 'command']);

/** One statement: where and when, its text, its parameters, what came of it. Everything recorded is made harmless. */
export function replayStatement(statement: Statement, session: Pick<Session, 'startedAt'>): string {
  const head = `#${statement.seq}  ${offset(session.startedAt, statement.at)}  stream ${statement.stream}`;
  const verb = plainVerbs.has(statement.verb) ? '' : `  ${escapeControl(statement.verb)}`;
  if (statement.erased) return [tone.faint(head + verb), indent + erasedLine(statement.erased)].join('\n');
  const rows = resultLines(statement).map((line) => indent + line);
  return [tone.faint(head + verb), ...bodyLines(statement), `${indent}${outcomeLine(statement)}`, ...rows].join('\n');
}

function erasedLine({ at, by }: NonNullable<Statement['erased']>): string {
  if (at === null) return tone.warn('[gone from this record; hoop verify says whether an erasure was logged]');
  return tone.warn(
    `[erased ${localTime(at)} by ${by === null ? 'somebody that the gateway does not know' : escapeControl(by)}]`,
  );
}

function bodyLines(statement: Statement): string[] {
  const {
    text,
    parameters,
    arguments: words,
    of,
    portal,
    rowLimit,
    dataBytes,
    redactions,
    textBase64,
    encoding,
  } = statement;
  const lines = text === null ? [] : escapeControl(text.trimEnd(), { multiline: true }).split('\n').map(strong);
  if (words && text === null) lines.push(words.map((word) => escapeControl(word)).join(' '));
  if (of !== undefined) lines.push(tone.faint(`(what it names is in #${of})`));
  if (textBase64 !== undefined)
    lines.push(tone.warn(`(${escapeControl(encoding ?? 'not valid UTF-8')}; --json has the exact bytes)`));
  if (statement.resolved === false) {
    const what = words
      ? 'another connection may have put another library'
      : 'SQL before this one may have put another cursor';
    lines.push(tone.warn(`(${what} under ${words ? 'its name' : 'the name of this portal'})`));
  }
  parameters.forEach(({ base64, shown }, index) => {
    const value = base64 === null ? tone.faint('NULL') : escapeControl(shown);
    lines.push(`$${index + 1} = ${value}`);
  });
  if (portal) lines.push(`portal ${escapeControl(portal)}`);
  if (rowLimit) lines.push(`at most ${count(rowLimit, 'row')} this time`);
  if (dataBytes !== undefined) lines.push(`COPY data: ${byteSize(dataBytes)}`);
  for (const rule of redactions ?? []) lines.push(tone.warn(`withheld from the record: ${escapeControl(rule)}`));
  return lines.map((line) => indent + line);
}

const strong = (line: string): string => tone.strong(line);

/** Words first: `OK`, `ERROR`, `SKIPPED` …; colour only repeats them. */
function outcomeLine({ outcome }: Statement): string {
  const time = outcome?.durationMicros === undefined ? '' : tone.faint(` · ${duration(outcome.durationMicros)}`);
  return tone[outcomeTone(outcome)](outcomeWords(outcome)) + time;
}
