import type { OutcomeEvent } from '../protocol/event.ts';
import {
  RerunCount,
  rerunItem,
  type RerunEnd,
  type RerunStatement,
  type RerunSubject,
  type RerunSummary,
  type SkipReason,
} from '../recording/rerun-report.ts';
import type { RerunResult } from '../recording/compare-outcomes.ts';
import { shownOutcome } from '../recording/timeline.ts';
import { terminalSafeJson } from './escape-control.ts';
import { outcomeWords } from './outcome.ts';
import { count, duration, escapeControl, facts, tone } from './print.ts';

/** A report in pieces, while statements run. */
export interface RerunSource {
  subject: RerunSubject;
  statements: AsyncGenerator<RerunStatement, RerunEnd>;
  /** Told of each. */
  count: RerunCount;
}

type Write = (source: RerunSource) => AsyncGenerator<string, RerunSummary>;

export const resultWords: Record<RerunResult, string> = {
  same: 'same',
  'different-rows': 'different rows',
  'different-count': 'different count',
  'different-error': 'different error',
  'not-compared': 'not compared',
  'not-run': 'not run',
};

export const skipWords: Record<SkipReason, string> = {
  cancelled: 'it was cancelled when it was recorded',
  refused: 'hoop refused it when it was recorded',
  withheld: 'what it said was withheld from the record',
  erased: 'what it said was erased from the record',
  login: 'it is a login; the connection has its own',
  cancel: 'it is a cancel',
};

/** What is not the same, then a summary. Of a rehearsal everything. */
export const rerunText: Write = async function* (source) {
  const { subject } = source;
  yield `${facts(subjectFacts(subject))}\n`;
  return yield* each(source, (statement) => {
    const isShown = statement.result !== 'same' || statement.slowerBy !== undefined;
    return isShown ? `\n${statementText(statement)}\n` : '';
  });
};

/** One document; statements stand in it as they came. */
export const rerunJson: Write = async function* (source) {
  const { subject } = source;
  yield `{"replayed":${terminalSafeJson(subject)},"statements":[`;
  let comma = '\n';
  const summary = yield* each(source, (statement) => {
    const piece = `${comma}${terminalSafeJson(rerunItem(statement))}`;
    comma = ',\n';
    return piece;
  });
  yield `\n],"summary":${terminalSafeJson(summary)}}\n`;
  return summary;
};

/** Counts, shows, and gives the summary in the end. */
export async function* each(
  { statements, count: counted }: RerunSource,
  show: (statement: RerunStatement) => string,
): AsyncGenerator<string, RerunSummary> {
  for (;;) {
    const next = await statements.next();
    if (next.done) return counted.summary(next.value);
    counted.add(next.value);
    const piece = show(next.value);
    if (piece !== '') yield piece;
  }
}

export const subjectFacts = ({ session, resource, target, targetSession, until }: RerunSubject): [string, string][] => [
  ['session', `${session} on ${resource}`],
  ['run again on', target + (targetSession === null ? '' : ` (session ${targetSession})`)],
  ...(until === null ? [] : ([['until', `#${until}, which is not run`]] as [string, string][])),
];

const tones = {
  same: tone.good,
  'different-rows': tone.bad,
  'different-count': tone.bad,
  'different-error': tone.bad,
  'not-compared': tone.warn,
  'not-run': tone.warn,
} as const;

function statementText(statement: RerunStatement): string {
  const { recorded, result, skipped } = statement;
  const text = escapeControl(recorded.text ?? recorded.verb, { multiline: true }).trimEnd();
  const head = `#${recorded.seq}  stream ${recorded.stream}`;
  const isRehearsed = result === 'not-run' && skipped === undefined && statement.ran === undefined;
  const words = isRehearsed ? '' : `  ${tones[result](verdictWords(statement))}`;
  return [tone.faint(head) + words, ...text.split('\n').map(indented), ...sideBySide(statement).map(indented)].join(
    '\n',
  );
}

const indented = (line: string): string => `    ${line}`;

/** `different rows`, `same, 3.2 × slower`, `not run: …`. */
export function verdictWords({ result, slowerBy, skipped }: RerunStatement): string {
  const why = skipped === undefined ? '' : `: ${skipWords[skipped]}`;
  const slower = slowerBy === undefined ? '' : `, ${slowerBy.toFixed(1)} × slower`;
  return resultWords[result] + why + slower;
}

/** What was recorded and what came now, where both are there to compare. */
export function sideBySide({ recorded, ran, because, result, slowerBy }: RerunStatement): string[] {
  if (result === 'not-run' || (result === 'same' && slowerBy === undefined)) return [];
  const lines = [`recorded: ${outcomeWords(recorded.outcome)}${took(recorded.outcome?.durationMicros)}`];
  lines.push(ran ? `now:      ${wordsOf(ran)}${took(ran.durationMicros)}` : 'now:      no error');
  if (because) lines.push(`because:  ${wordsOf(because)}`);
  return lines;
}

const wordsOf = (outcome: OutcomeEvent): string => outcomeWords(shownOutcome(outcome));
const took = (micros: number | undefined): string => (micros === undefined ? '' : ` · ${duration(micros)}`);

/** The last lines: what a person wants to know first. */
export function summaryLines(summary: RerunSummary): string[] {
  const { statements, results, slower, reason, message, outOfOrder, openTransactions } = summary;
  if (reason === 'dry-run') return [`${count(statements, 'statement')}; nothing was run`];
  const counted = Object.entries(results).filter(([, number]) => number > 0);
  const shown = counted.map(
    ([result, number]) => `${number.toLocaleString('en-US')} ${resultWords[result as RerunResult]}`,
  );
  const lines = [[count(statements, 'statement'), ...shown, ...(slower > 0 ? [`${slower} slower`] : [])].join(', ')];
  if (reason === 'stopped') lines.push('stopped before the end');
  if (reason === 'target-lost') lines.push(`not to its end: ${message ?? 'the target went away'}`);
  if (outOfOrder.length > 0)
    lines.push(
      `#${outOfOrder[0]} took so long that others were sent before its answer: from there on the order is another`,
    );
  if (openTransactions.length > 0)
    lines.push(
      `rolled back at the end: the open transaction of ${openTransactions.map((stream) => `stream ${stream}`).join(', ')}`,
    );
  return lines;
}
