import type { RerunStatement, RerunSummary } from '../recording/rerun-report.ts';
import { escapeControl } from './escape-control.ts';
import { each, sideBySide, subjectFacts, summaryLines, verdictWords, type RerunSource } from './rerun-report.ts';

/** Statements that came out the same are listed up to so many; a browser has to hold the page. */
const sameListedMax = 10_000;
/** Of a text; the whole is in --report json. */
const textShownMax = 4000;

/**
 * The report as one page: no script, nothing from the network (its policy forbids both), and everything recorded escaped twice: what
 * is invisible is made visible, then HTML's own characters. Rows are written as statements come; the summary, last, is shown first.
 */
export async function* rerunHtml(source: RerunSource): AsyncGenerator<string, RerunSummary> {
  yield `${head}<header><h1>A recorded session, run again</h1><dl>${definitions(source)}</dl></header>
<input type="checkbox" id="differences"><label for="differences">only what is not the same</label>
<table><thead><tr><th>entry</th><th>stream</th><th>statement</th><th>result</th></tr></thead><tbody>\n`;
  let same = 0;
  const summary = yield* each(source, (statement) => {
    const isPlain = statement.result === 'same' && statement.slowerBy === undefined;
    if (isPlain && ++same > sameListedMax) return '';
    return row(statement);
  });
  const left = same - sameListedMax;
  const lines = summaryLines(summary);
  if (left > 0)
    lines.push(`${left.toLocaleString('en-US')} statements that came out the same are counted, and not listed`);
  yield `</tbody></table>\n<section class="summary">${lines.map((line) => `<p>${safe(line)}</p>`).join('')}</section>\n</body></html>\n`;
  return summary;
}

const definitions = ({ subject }: RerunSource): string =>
  subjectFacts(subject)
    .map(([name, value]) => `<dt>${safe(name)}</dt><dd>${safe(value)}</dd>`)
    .join('');

function row(statement: RerunStatement): string {
  const { recorded, result } = statement;
  const kind = result === 'same' ? (statement.slowerBy === undefined ? 'same' : 'slower') : result;
  const text = recorded.text ?? recorded.verb;
  const shown = text.length > textShownMax ? `${text.slice(0, textShownMax)} … (${text.length} characters)` : text;
  const parameters = recorded.parameters.map(({ shown: value }, index) => `$${index + 1} = ${value}`);
  const compared = sideBySide(statement).map((line) => `<p>${safe(line)}</p>`);
  return `<tr class="${kind}"><td>#${recorded.seq}</td><td>${recorded.stream}</td><td><pre>${safe(shown, true)}</pre>${parameters
    .map((line) => `<p>${safe(line.slice(0, textShownMax))}</p>`)
    .join('')}</td><td><strong>${safe(verdictWords(statement))}</strong>${compared.join('')}</td></tr>\n`;
}

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

const safe = (text: string, multiline = false): string =>
  escapeControl(text, { multiline }).replaceAll(/[&<>"']/g, (character) => entities[character]!);

const head = `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>hoop: a recorded session, run again</title>
<style>
:root { color-scheme: light dark; --line: #8884; --bad: #c62828; --warn: #9a6700; --good: #2e7d32 }
@media (prefers-color-scheme: dark) { :root { --bad: #ff8a80; --warn: #ffca5c; --good: #81c784 } }
body { display: flex; flex-direction: column; align-items: flex-start; gap: .75rem; margin: 1.5rem; font: 15px/1.5 system-ui, sans-serif }
header, .summary { order: -2; width: 100% } .summary { order: -1; font-weight: 600 }
h1 { font-size: 1.3rem; margin: 0 0 .5rem } p { margin: 0 }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; margin: 0 } dt { opacity: .7 } dd { margin: 0; overflow-wrap: anywhere }
input { position: absolute; opacity: 0 } label { order: -1; padding: .2rem .7rem; border: 1px solid var(--line); border-radius: 1rem; cursor: pointer }
input:focus-visible + label { outline: 2px solid } input:checked + label { background: var(--line) }
input:checked ~ table .same { display: none }
table { width: 100%; border-collapse: collapse } th { text-align: left } td, th { padding: .35rem .6rem; border-top: 1px solid var(--line); vertical-align: top }
td:nth-child(3) { width: 55% } pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; font: 13px/1.45 ui-monospace, monospace }
.different-rows strong, .different-count strong, .different-error strong { color: var(--bad) }
.not-run strong, .not-compared strong, .slower strong { color: var(--warn) } .same strong { color: var(--good) }
@media (max-width: 40rem) { body { margin: .75rem } thead { display: none } tr { display: grid; border-top: 1px solid var(--line); padding: .4rem 0 } td { border: 0; padding: .1rem 0; width: auto !important } td:nth-child(2)::before { content: "stream " } }
</style></head><body>
`;
