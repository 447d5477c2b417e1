import type { Session, SessionStream, Statement } from '../shared/api.ts';
import { duration, escapeControl, offset, table, tone } from './print.ts';
import { replayHeader } from './replay.ts';

/** What `hoop verify` says; `isGood` undefined: it could not be found out. */
interface Verdict {
  word: string;
  isGood: boolean | undefined;
}

interface Summary {
  streams: readonly SessionStream[];
  slowest: readonly Statement[];
  failed: readonly Statement[];
}

const streamsShownMax = 20;
const textWidthMax = 100;

/** One session at a glance. Everything recorded is made harmless. */
export function sessionText(session: Session, { streams, slowest, failed }: Summary, verdict: Verdict): string {
  const verified = verdict.isGood === undefined ? `${verdict.word}: hoop verify says why` : verdict.word;
  const parts = [replayHeader(session, [['verify', verified]])];
  if (streams.length > 0) parts.push(section('connections (as declared)', streamTable(session, streams)));
  if (slowest.length > 0) parts.push(section('slowest', slowest.map((one) => statementLine(one)).join('\n')));
  if (failed.length > 0) parts.push(section('failed or refused', failed.map((one) => statementLine(one)).join('\n')));
  return parts.join('\n\n');
}

const section = (title: string, text: string): string => `${tone.strong(title)}\n${text}`;

function streamTable({ startedAt }: Session, streams: readonly SessionStream[]): string {
  const shown = table(streams.slice(0, streamsShownMax), [
    { title: 'STREAM', value: ({ stream }) => String(stream), alignRight: true },
    { title: 'OPENED', value: ({ openedAt }) => offset(startedAt, openedAt) },
    { title: 'ENDED', value: ({ reason }) => reason ?? 'open' },
    { title: 'FROM', value: ({ facts }) => from(facts) },
  ]);
  const more = streams.length - streamsShownMax;
  return more > 0 ? `${shown}\n… ${more} more; --json has all` : shown;
}

/** A tool call of `hoop mcp`, or the connecting process. */
function from({ tool, call, meta, executable, pid, parent, ...rest }: Record<string, string>): string {
  const words = [
    ...(tool === undefined ? [] : [`tool ${tool}${call === undefined ? '' : `, call ${call}`}`]),
    ...(executable === undefined ? [] : [executable]),
    ...(pid === undefined ? [] : [`pid ${pid}`]),
    ...(parent === undefined ? [] : [`started by ${parent}`]),
    ...(meta === undefined ? [] : [meta]),
    ...Object.entries(rest).map(([name, value]) => `${name} ${value}`),
  ];
  return words.join(', ') || '-';
}

function statementLine({ seq, text, verb, outcome }: Statement): string {
  const line = escapeControl((text ?? verb).replace(/\s+/g, ' ').trim());
  const cut = line.length > textWidthMax ? `${line.slice(0, textWidthMax - 1)}…` : line;
  const micros = outcome?.durationMicros;
  const what = outcome?.errorCode ?? (micros === undefined ? outcome?.status : duration(micros)) ?? '';
  return `  #${seq}  ${escapeControl(what)}  ${cut}`;
}
