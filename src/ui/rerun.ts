import { RerunCount, type RerunEnd, type RerunStatement, type RerunSubject } from '../recording/rerun-report.ts';
import { ProgressBar } from './progress-bar.ts';
import { rerunHtml } from './rerun-page.ts';
import { rerunJson, rerunText, summaryLines } from './rerun-report.ts';
import { writeTo } from './write-to.ts';

export const reportNames = ['text', 'json', 'html'] as const;
export type ReportName = (typeof reportNames)[number];

const writers = { text: rerunText, json: rerunJson, html: rerunHtml } as const;

export interface ShownRerun {
  report: ReportName;
  subject: RerunSubject;
  statements: AsyncGenerator<RerunStatement, RerunEnd>;
  /** How many there will be. */
  total: number;
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
}

/** Runs and shows it: the report on stdout, how far it is and the summary on stderr. */
export async function showRerun(shown: ShownRerun): Promise<{ reason: RerunEnd['reason']; differences: number }> {
  const { report, subject, total, stdout, stderr } = shown;
  const counted = new RerunCount();
  const bar = new ProgressBar(stderr, total, 'statement');
  const statements = withProgress(shown.statements, () => {
    const { statements: done, differences } = counted;
    bar.update(done, differences === 0 ? '' : `, ${differences} different`);
  });
  const pieces = writers[report]({ subject, statements, count: counted });
  for (;;) {
    const next = await pieces.next();
    bar.clear();
    if (!next.done) {
      await writeTo(stdout, next.value);
      continue;
    }
    const lines = summaryLines(next.value).map((line) => `${line}\n`);
    const isText = report === 'text';
    await writeTo(isText ? stdout : stderr, (isText ? '\n' : '') + lines.join(''));
    return { reason: next.value.reason, differences: counted.differences };
  }
}

/** Also while all is the same and nothing is written. */
async function* withProgress(
  statements: AsyncGenerator<RerunStatement, RerunEnd>,
  onStatement: () => void,
): AsyncGenerator<RerunStatement, RerunEnd> {
  for (;;) {
    const next = await statements.next();
    if (next.done) return next.value;
    yield next.value;
    onStatement();
  }
}
