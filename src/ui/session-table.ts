import type { Session } from '../shared/api.ts';
import { duration, localTime, relativeTime, table, tone } from './print.ts';

/** Enough of an id to be unique among what one looks at; `hoop replay` takes it. */
const idLength = 10;

/** `match`: the statement with what was looked for. */
type Listed = Session & { match?: number | undefined };

export function sessionTable(sessions: readonly Listed[], now: number): string {
  const isSearch = sessions.some(({ match }) => match !== undefined);
  return table(sessions, [
    { title: 'SESSION', value: ({ id }) => id.slice(0, idLength) },
    { title: 'USER', value: ({ user }) => user },
    { title: 'ACTOR', value: ({ actor }) => actor ?? '-' },
    { title: 'RESOURCE', value: ({ resource }) => resource },
    {
      title: 'STARTED',
      value: ({ startedAt }) => `${localTime(startedAt)} (${relativeTime(startedAt, now)})`,
      narrow: { value: ({ startedAt }) => relativeTime(startedAt, now) },
    },
    {
      title: 'DURATION',
      value: (session) => sessionDuration(session, now),
      alignRight: true,
      narrow: { title: 'TOOK', value: (session) => largestUnit(sessionDuration(session, now)) },
    },
    {
      title: 'STATEMENTS',
      value: ({ statements }) => String(statements),
      alignRight: true,
      narrow: { title: 'STMTS' },
    },
    {
      title: 'ERRORS',
      value: ({ errors }) => String(errors),
      alignRight: true,
      paint: paintErrors,
      narrow: { title: 'ERR' },
    },
    {
      title: 'STATE',
      value: sessionState,
      paint: (text, { state }) => paintState(text, state),
      narrow: { value: ({ state }) => state },
    },
    ...(isSearch ? [{ title: 'MATCH', value: ({ match }: Listed) => (match === undefined ? '' : `#${match}`) }] : []),
  ]);
}

/** `3 min 52 s` is `3 min`. */
const largestUnit = (text: string): string => /^\S+ \S+/.exec(text)?.[0] ?? text;

export function sessionDuration({ startedAt, endedAt }: Session, now: number): string {
  const end = endedAt === null ? now : Date.parse(endedAt);
  return duration(Math.max(0, end - Date.parse(startedAt)) * 1000);
}

export const sessionState = ({ state, reason }: Session): string =>
  reason === null || reason === state ? state : `${state} (${reason})`;

export function paintState(text: string, state: Session['state']): string {
  if (state === 'live') return tone.good(text);
  return state === 'sealed' ? text : tone.bad(text);
}

const paintErrors = (text: string, { errors }: Session): string => (errors > 0 ? tone.bad(text) : text);
