import { Box, Text } from 'ink';
import type { ReactNode } from 'react';
import type { Session, Statement } from '../../shared/api.ts';
import { cutToWidth, padToWidth } from '../display-width.ts';
import { outcomeTone, outcomeWords } from '../outcome.ts';
import { count, duration, escapeControl, offset } from '../print.ts';
import { resultLines } from '../result-lines.ts';
import { cellOf, totalMillis, type DensityCell } from './density.ts';
import { highlighted, wrapped, type Ink, type Span } from './highlight.ts';
import { nearest, type PlayerState } from './state.ts';
import type { Track } from './track.ts';

export interface ScreenProps {
  session: Session;
  /** What `hoop verify` says of the session: `checking …`, then its verdict. */
  verified: { word: string; isGood: boolean | undefined };
  track: Track & { statement(at: number): Statement };
  state: PlayerState;
  bar: readonly DensityCell[];
  columns: number;
  rows: number;
}

/** Statements around the current one, where the screen has room for more than itself. */
const aroundMax = 5;

/** The whole player. Props in, no I/O; never higher than the terminal less its last line. */
export function Screen(props: ScreenProps): ReactNode {
  const { state, track } = props;
  return (
    <Box flexDirection="column">
      <Identity {...props} />
      <Timeline {...props} />
      {state.isHelpShown ? <Help {...props} /> : track.length === 0 ? <Empty {...props} /> : <Body {...props} />}
      <Footer {...props} />
    </Box>
  );
}

function Identity({ session, verified, columns }: ScreenProps): ReactNode {
  const { user, actor, resource, id, state } = session;
  const who = [user, ...(actor === null ? [] : [`${actor} (declared)`]), resource, id.slice(0, 10), state].join(' · ');
  const mark = verified.isGood === undefined ? '…' : verified.isGood ? '✓' : '✕';
  const verdict = `verify: ${mark} ${escapeControl(verified.word)}`;
  const colour = verified.isGood === undefined ? {} : { color: verified.isGood ? 'green' : 'red' };
  const room = columns - verdict.length - 1;
  return (
    <Text wrap="truncate-end">
      <Text bold>{padToWidth(cutToWidth(escapeControl(who), room), room)}</Text> <Text {...colour}>{verdict}</Text>
    </Text>
  );
}

function Timeline({ track, state, bar, columns }: ScreenProps): ReactNode {
  const total = totalMillis(track);
  const here = cellOf(track.millis(state.at), total, bar.length);
  const filters = [
    state.writesOnly && 'writes only',
    state.errorsOnly && 'errors only',
    state.stream !== undefined && `stream ${state.stream} only`,
  ].filter(Boolean);
  const time = `${clock(track.millis(state.at))} / ${clock(total)}`;
  const place = `${(track.length === 0 ? 0 : state.at + 1).toLocaleString('en-US')} of ${track.length.toLocaleString('en-US')}${track.isWhole ? '' : ' …'}`;
  const words = [state.isPlaying ? '▶ playing' : '‖ paused', `${state.speed}×`, time, place, ...filters].join(' · ');
  return (
    <>
      <Text>
        {bar.map(({ text, hasError }, cell) => (
          <Text key={cell} inverse={cell === here} {...(hasError ? { color: 'red' } : { color: 'cyan' })}>
            {cell === here && text === ' ' ? '│' : text}
          </Text>
        ))}
      </Text>
      <Text>
        {' '.repeat(here)}
        <Text bold>▲</Text>
      </Text>
      <Text wrap="truncate-end">{cutToWidth(words, columns)}</Text>
      <Rule columns={columns} />
    </>
  );
}

const Rule = ({ columns }: Pick<ScreenProps, 'columns'>): ReactNode => <Text dimColor>{'─'.repeat(columns)}</Text>;

const clock = (millis: number): string => offset(new Date(0).toISOString(), new Date(millis).toISOString()).slice(1);

function Body(props: ScreenProps): ReactNode {
  const { state, rows } = props;
  const around = Math.max(0, Math.min(aroundMax, rows - 16));
  const list = listed(props, around);
  const room = Math.max(3, rows - 7 - (list.length > 0 ? list.length + 1 : 0));
  const lines = detail(props);
  const scrolled = Math.min(state.scrolled, Math.max(0, lines.length - room));
  const hidden = lines.length - scrolled - room;
  const shown = lines.slice(scrolled, scrolled + room - (hidden > 0 ? 1 : 0));
  return (
    <>
      {list.map((at) => (
        <Row key={at} {...props} at={at} />
      ))}
      {list.length > 0 ? <Rule {...props} /> : null}
      {shown.map((line, index) => (
        <Text key={index}>{line.length === 0 ? ' ' : line.map((span, at) => <Inked key={at} {...span} />)}</Text>
      ))}
      {hidden > 0 ? <Text dimColor>{`↓ ${count(hidden + 1, 'line')} more`}</Text> : null}
    </>
  );
}

/** Shown statements before and behind the current one. */
function listed({ track, state }: ScreenProps, rows: number): number[] {
  if (rows < 2) return [];
  const found = [state.at];
  const add = (step: 1 | -1): boolean => {
    const at = nearest(track, state, (step === 1 ? found.at(-1)! : found[0]!) + step, step);
    if (at !== undefined) found[step === 1 ? 'push' : 'unshift'](at);
    return at !== undefined;
  };
  add(-1);
  add(-1);
  while (found.length < rows && add(1));
  while (found.length < rows && add(-1));
  return found;
}

function Row({ track, state, session, columns, at }: ScreenProps & { at: number }): ReactNode {
  const statement = track.statement(at);
  const text = highlighted({ ...statement, text: statement.text?.slice(0, columns * 2) ?? null }, session.protocol)
    .map((span) => span.text)
    .join('')
    .replace(/\s+/g, ' ');
  const isCurrent = at === state.at;
  const mark = track.isError(at) ? '✕' : track.isWrite(at) ? '✎' : ' ';
  const line = `${isCurrent ? '▶' : ' '} ${mark} #${statement.seq}  ${offset(session.startedAt, statement.at)}  ${text}`;
  return (
    <Text wrap="truncate-end" bold={isCurrent} dimColor={!isCurrent} {...(track.isError(at) ? { color: 'red' } : {})}>
      {cutToWidth(line, columns)}
    </Text>
  );
}

type Line = (Omit<Span, 'ink'> & { ink: Ink | 'good' | 'warn' | 'bad' })[];

/** The current statement: where, what, with what, and what came of it. */
function detail({ track, state, session, columns }: ScreenProps): Line[] {
  const statement = track.statement(state.at);
  const { outcome, erased, redactions, dataBytes } = statement;
  const rows = outcome?.rows === undefined ? '' : ` · ${count(outcome.rows, 'row')}`;
  const time = outcome?.durationMicros === undefined ? '' : ` · ${duration(outcome.durationMicros)}`;
  const came = wrapped([{ ink: 'plain', text: `${outcomeWords(outcome)}${rows}${time}` }], columns).map((line): Line =>
    line.map((span) => ({ ...span, ink: outcomeTone(outcome) })),
  );
  const head = `#${statement.seq} · ${offset(session.startedAt, statement.at)} · stream ${statement.stream} · ${escapeControl(statement.verb)}`;
  const notes = [
    ...(erased ? ['erased from the record'] : []),
    ...(redactions ?? []).map((rule) => `withheld from the record: ${escapeControl(rule)}`),
    ...(dataBytes === undefined ? [] : [`COPY data: ${dataBytes.toLocaleString('en-US')} bytes`]),
  ];
  return [
    [{ ink: 'comment', text: cutToWidth(head, columns) }],
    ...came,
    ...(erased ? [] : wrapped(highlighted(statement, session.protocol), columns)),
    ...notes.map((text): Line => [{ ink: 'warn', text: cutToWidth(text, columns) }]),
    ...resultLines(statement).map((text): Line => [{ ink: 'plain', text: cutToWidth(withoutColour(text), columns) }]),
  ];
}

// oxlint-disable-next-line no-control-regex -- our own colours, not recorded text
const withoutColour = (text: string): string => text.replace(/\u001B\[[0-9;]*m/g, '');

const inks: Record<Line[number]['ink'], object> = {
  plain: {},
  keyword: { color: 'blue', bold: true },
  literal: { color: 'green' },
  number: { color: 'cyan' },
  comment: { dimColor: true },
  parameter: { color: 'magenta', underline: true },
  good: { color: 'green' },
  warn: { color: 'yellow' },
  bad: { color: 'red', bold: true },
};

const Inked = ({ ink, text }: Line[number]): ReactNode => <Text {...inks[ink]}>{text}</Text>;

const Empty = ({ track }: ScreenProps): ReactNode => <Text>{track.isWhole ? 'No statements.' : 'Reading …'}</Text>;

const help: [keys: string, does: string][] = [
  ['space', 'play or pause; at the end: from the beginning'],
  ['→ j   ← k', 'next, previous statement'],
  ['PgDn PgUp', 'ten on, ten back'],
  ['g Home  G End', 'first, last'],
  ['+ -', 'faster, slower: 0.5× to 32× (pauses over 2 s are cut to 2 s)'],
  ['t', 'go to a time: 90, 1:30, 1:02:03'],
  ['#', 'go to a statement by its number'],
  ['/  n  N', 'search; next and previous one found'],
  ['w  e  s', 'writes only, errors only, one stream'],
  ['↑ ↓', 'scroll a long statement'],
  ['q', 'leave'],
];

const Help = ({ columns, rows }: ScreenProps): ReactNode => (
  <>
    {help.slice(0, Math.max(1, rows - 8)).map(([keys, does]) => (
      <Text key={keys} wrap="truncate-end">
        {cutToWidth(`${padToWidth(keys, 15)} ${does}`, columns)}
      </Text>
    ))}
    <Text dimColor>any key goes back</Text>
  </>
);

const prompts = { time: 'go to time: ', number: 'go to #', search: 'search: ' } as const;

function Footer({ state, columns }: ScreenProps): ReactNode {
  if (state.prompt)
    return <Text bold>{cutToWidth(`${prompts[state.prompt.what]}${escapeControl(state.prompt.text)}▏`, columns)}</Text>;
  if (state.notice !== '') return <Text color="yellow">{cutToWidth(escapeControl(state.notice), columns)}</Text>;
  const keys = 'space play · ← → · + - speed · t time · # number · / search · ? help · q quit';
  return <Text dimColor>{cutToWidth(keys, columns)}</Text>;
}
