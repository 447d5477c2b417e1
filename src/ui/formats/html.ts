import { createHash } from 'node:crypto';
import type { Session, Statement } from '../../shared/api.ts';
import { escapeControl, terminalSafeJson } from '../escape-control.ts';
import { outcomeTone, outcomeWords } from '../outcome.ts';
import { isWrite } from '../player/is-write.ts';
import { count, localTime } from '../print.ts';
import { sessionDuration, sessionState } from '../session-table.ts';
import { pageScript } from './html-script.ts';
import { pageStyle } from './html-style.ts';

/** Statements in one block of JSON: a browser reads it whole, and no string here grows with the recording. */
const partStatements = 500;

const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/**
 * One page with everything in it: nothing is loaded from anywhere, and its policy lets no script run but its own. What was recorded is in
 * blocks of JSON, which are no markup, and comes into the page as text.
 */
export async function* html(session: Session, statements: AsyncIterable<Statement>): AsyncGenerator<string> {
  yield head(session);
  let part: string[] = [];
  for await (const statement of statements) {
    part.push(inPage(statement, session));
    if (part.length < partStatements) continue;
    yield block(part);
    part = [];
  }
  if (part.length > 0) yield block(part);
  yield `<script>${pageScript}</script>\n</body>\n</html>\n`;
}

const block = (part: string[]): string =>
  `<script type="application/json" class="part">[${part.join(',\n')}]</script>\n`;

/** `<` would end the block; the rest would drive a terminal that somebody shows the file in. */
const inPage = (statement: Statement, { protocol }: Session): string =>
  terminalSafeJson({
    ...statement,
    came: outcomeWords(statement.outcome),
    tone: outcomeTone(statement.outcome),
    isWrite: isWrite(statement, protocol),
  }).replace(/[<>&]/g, (character) => `\\u00${character.charCodeAt(0).toString(16).toUpperCase()}`);

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const markup = (text: string): string =>
  escapeControl(text).replace(/[&<>"']/g, (character) => entities[character] ?? '');

function head(session: Session): string {
  const { id, user, actor, actorInstance, resource, protocol, agent, startedAt, statements, errors } = session;
  const policy = `default-src 'none'; script-src ${hashOf(pageScript)}; style-src ${hashOf(pageStyle)}; base-uri 'none'; form-action 'none'`;
  const who = `${user}${actor === null ? '' : ` with ${actor} (as declared), instance ${actorInstance}`} · through ${agent} · ${sessionState(session)}`;
  const when = `${localTime(startedAt)} · ${sessionDuration(session, Date.parse(startedAt))} · ${count(statements, 'statement')}, ${count(errors, 'error')}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${markup(`${resource}, session ${id.slice(0, 10)} of ${user}`)}</title>
<style>${pageStyle}</style>
</head>
<body data-started="${markup(startedAt)}" data-protocol="${markup(protocol)}">
<header>
<h1>${markup(`${user} on ${resource}`)}</h1>
<p>${markup(who)}</p>
<p>${markup(when)}</p>
<p>This page proves nothing; <code>hoop verify ${markup(id)}</code> does.</p>
</header>
<div class="controls">
<button id="play" type="button" aria-pressed="false">Play</button>
<button id="before" type="button" aria-label="Previous statement">‹</button>
<button id="next" type="button" aria-label="Next statement">›</button>
<select id="speed" aria-label="Speed"></select>
<select id="stream" aria-label="Stream"><option value="">all streams</option></select>
<label><input id="writes" type="checkbox">writes</label>
<label><input id="errors" type="checkbox">errors</label>
<input id="search" type="search" placeholder="Search" aria-label="Search">
</div>
<div class="timeline">
<canvas id="density" aria-hidden="true"></canvas>
<input id="seek" type="range" min="0" max="1000" value="0" aria-label="Time">
<div class="said"><span id="time"></span><span id="place" role="status"></span></div>
</div>
<p class="waiting">The recording is in this file; a browser that runs the page’s own script shows it.</p>
<main>
<div id="list" role="listbox" aria-label="Statements" tabindex="0"><div id="rows"></div></div>
<section id="detail" aria-label="Statement" tabindex="0"></section>
</main>
`;
}
