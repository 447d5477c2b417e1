import { dangerous } from '../escape-control.ts';
import { keywords, tokens } from '../player/highlight.ts';
import { idleMillisMax, speeds } from '../player/state.ts';

/** What the page needs of the rest of hoop, as values. */
const given = `
const dangerous = new RegExp(${JSON.stringify(dangerous.source)}, ${JSON.stringify(dangerous.flags)});
const tokens = new RegExp(${JSON.stringify(tokens.source)}, 'g');
const keywords = new Set(${JSON.stringify([...keywords])});
const idleMillisMax = ${idleMillisMax};
const speeds = ${JSON.stringify(speeds)};
`;

/**
 * The page's own script: it makes elements and sets their text, never markup, so that nothing recorded can be anything else. A list of any
 * length has only the rows in it that are seen.
 */
const program = String.raw`
const rowPixels = 30;
const byId = (id) => document.getElementById(id);
const all = [];
for (const part of document.querySelectorAll('script.part')) {
  all.push(...JSON.parse(part.textContent));
  part.remove();
}
const started = Date.parse(document.body.dataset.started);
const millisOf = (one) => Math.max(0, Date.parse(one.at) - started);
const total = Math.max(1, ...all.slice(-1).map(millisOf));
const isRedis = document.body.dataset.protocol === 'redis';
let shown = all;
let at = 0;
let timer;

const harmless = (text) => text.replace(dangerous, (character) => {
  if (character === '\n' || character === '\t') return character;
  const point = character.codePointAt(0).toString(16).toUpperCase();
  return '\\u{' + point.padStart(4, '0') + '}';
});
function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = harmless(text);
  return made;
}
function clock(millis) {
  const two = (number) => String(number).padStart(2, '0');
  const hours = Math.floor(millis / 3600000);
  const minutes = Math.floor(millis / 60000) % 60;
  const seconds = two(Math.floor(millis / 1000) % 60) + '.' + String(Math.floor(millis % 1000)).padStart(3, '0');
  return hours > 0 ? hours + ':' + two(minutes) + ':' + seconds : minutes + ':' + seconds;
}
function took(micros) {
  if (micros < 1000) return Math.round(micros) + ' µs';
  return micros < 1000000 ? (micros / 1000).toFixed(1) + ' ms' : (micros / 1000000).toFixed(1) + ' s';
}
const textOf = (one) => one.text ?? (one.arguments ? one.arguments.join(' ') : '(' + one.verb + ')');

function inPlace(into, one) {
  const text = textOf(one);
  let from = 0;
  const add = (className, part) => into.append(element('span', className, part));
  for (const match of isRedis || one.text === null ? [] : text.matchAll(tokens)) {
    if (match.index > from) add('', text.slice(from, match.index));
    const { comment, literal, parameter, number, word } = match.groups;
    const value = parameter === undefined ? undefined : one.parameters[Number(parameter) - 1];
    if (value) add('parameter', value.base64 === null ? 'NULL' : value.shown);
    else if (comment !== undefined) add('comment', match[0]);
    else if (literal !== undefined) add('literal', match[0]);
    else if (number !== undefined) add('number', match[0]);
    else add(word !== undefined && keywords.has(word.toLowerCase()) ? 'keyword' : '', match[0]);
    from = match.index + match[0].length;
  }
  add('', text.slice(from));
}

function detail() {
  const into = byId('detail');
  into.replaceChildren();
  const one = shown[at];
  byId('place').textContent = shown.length === 0 ? 'nothing like that' : at + 1 + ' of ' + shown.length;
  byId('time').textContent = one ? clock(millisOf(one)) + ' / ' + clock(total) : '';
  if (!one) return;
  into.append(element('p', 'where', '#' + one.seq + ' · ' + clock(millisOf(one)) + ' · stream ' + one.stream + ' · ' + one.verb));
  const came = element('p', 'outcome ' + one.tone, one.came);
  if (one.outcome?.durationMicros !== undefined) came.append(' · ' + took(one.outcome.durationMicros));
  into.append(came);
  const sql = element('pre');
  if (!one.erased) inPlace(sql, one);
  into.append(sql);
  one.parameters.forEach((value, index) => into.append(element('p', 'note', '$' + (index + 1) + ' = ' + (value.base64 === null ? 'NULL' : value.shown))));
  if (one.dataBytes !== undefined) into.append(element('p', 'note', 'COPY data: ' + one.dataBytes + ' bytes'));
  for (const rule of one.redactions ?? []) into.append(element('p', 'note', 'withheld from the record: ' + rule));
  for (const result of one.results ?? []) into.append(rowsOf(result));
  byId('seek').value = String(Math.round((millisOf(one) / total) * 1000));
  byId('seek').setAttribute('aria-valuetext', clock(millisOf(one)));
}
function rowsOf({ columns, rows }) {
  const scroll = element('div', 'result');
  const table = element('table');
  const head = element('tr');
  head.append(...columns.map((name) => element('th', '', name)));
  table.append(head);
  for (const row of rows.slice(0, 100)) {
    const line = element('tr');
    line.append(...row.map((value) => element('td', value === null ? 'null' : '', value ?? 'NULL')));
    table.append(line);
  }
  scroll.append(table);
  return scroll;
}

function list() {
  const box = byId('list');
  byId('rows').style.height = shown.length * rowPixels + 'px';
  const first = Math.max(0, Math.floor(box.scrollTop / rowPixels) - 5);
  const last = Math.min(shown.length, first + Math.ceil(box.clientHeight / rowPixels) + 10);
  const rows = [];
  for (let index = first; index < last; index++) {
    const one = shown[index];
    const row = element('div', 'row ' + one.tone + (index === at ? ' current' : ''));
    row.style.top = index * rowPixels + 'px';
    row.setAttribute('role', 'option');
    row.setAttribute('aria-selected', String(index === at));
    row.dataset.at = String(index);
    row.append(element('span', 'seq', '#' + one.seq), element('span', 'at', clock(millisOf(one))));
    row.append(element('span', 'mark', one.tone === 'bad' ? '✕' : one.isWrite ? '✎' : ' '));
    row.append(element('span', 'text', textOf(one).slice(0, 300).replace(/\s+/g, ' ')));
    rows.push(row);
  }
  byId('rows').replaceChildren(...rows);
}
function go(to, follow = true) {
  at = Math.max(0, Math.min(shown.length - 1, to));
  const box = byId('list');
  const top = at * rowPixels;
  if (follow && (top < box.scrollTop || top + rowPixels > box.scrollTop + box.clientHeight)) box.scrollTop = top - box.clientHeight / 3;
  list();
  detail();
}

function density() {
  const canvas = byId('density');
  const width = (canvas.width = Math.max(1, canvas.clientWidth));
  const height = (canvas.height = 36);
  const counts = new Float64Array(width);
  const failed = new Uint8Array(width);
  for (const one of shown) {
    const cell = Math.min(width - 1, Math.floor((millisOf(one) / total) * width));
    counts[cell]++;
    if (one.tone === 'bad') failed[cell] = 1;
  }
  const most = Math.log1p(counts.reduce((a, b) => Math.max(a, b), 1));
  const style = getComputedStyle(document.documentElement);
  const paint = canvas.getContext('2d');
  for (let cell = 0; cell < width; cell++) {
    if (counts[cell] === 0) continue;
    paint.fillStyle = style.getPropertyValue(failed[cell] ? '--bad' : '--accent');
    const bar = Math.max(4, (Math.log1p(counts[cell]) / most) * height);
    paint.fillRect(cell, height - bar, Math.max(1, width / 400), bar);
  }
}

function filter() {
  const current = shown[at];
  const wanted = byId('search').value.toLowerCase();
  const stream = byId('stream').value;
  const has = (part) => typeof part === 'string' && part.toLowerCase().includes(wanted);
  shown = all.filter((one) =>
    (!byId('writes').checked || one.isWrite) &&
    (!byId('errors').checked || one.tone === 'bad') &&
    (stream === '' || String(one.stream) === stream) &&
    (wanted === '' || has(textOf(one)) || has(one.came) || one.parameters.some(({ shown }) => has(shown))));
  const next = shown.findIndex((one) => one.seq >= (current?.seq ?? 0));
  density();
  go(next < 0 ? shown.length - 1 : next);
}

function play(on) {
  clearTimeout(timer);
  timer = undefined;
  byId('play').textContent = on ? 'Pause' : 'Play';
  byId('play').setAttribute('aria-pressed', String(on));
  if (!on) return;
  if (at >= shown.length - 1) go(0);
  const next = () => {
    if (at >= shown.length - 1) return play(false);
    const pause = Math.min(idleMillisMax, millisOf(shown[at + 1]) - millisOf(shown[at])) / Number(byId('speed').value);
    timer = setTimeout(() => {
      go(at + 1);
      next();
    }, pause);
  };
  next();
}

for (const speed of speeds) byId('speed').append(new Option(speed + '×', String(speed), speed === 1, speed === 1));
for (const stream of new Set(all.map((one) => one.stream))) byId('stream').append(new Option('stream ' + stream, String(stream)));
for (const id of ['search', 'writes', 'errors', 'stream']) byId(id).addEventListener('input', filter);
byId('play').addEventListener('click', () => play(timer === undefined));
byId('before').addEventListener('click', () => (play(false), go(at - 1)));
byId('next').addEventListener('click', () => (play(false), go(at + 1)));
byId('seek').addEventListener('input', () => {
  const millis = (Number(byId('seek').value) / 1000) * total;
  const found = shown.findIndex((one) => millisOf(one) >= millis);
  go(found < 0 ? shown.length - 1 : found);
});
byId('list').addEventListener('scroll', list);
byId('rows').addEventListener('click', ({ target }) => {
  const row = target.closest('.row');
  if (row) play(false), go(Number(row.dataset.at), false);
});
document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (/^(INPUT|SELECT)$/.test(event.target.tagName) && event.target.type !== 'checkbox') {
    if (event.key === 'Escape') event.target.blur();
    return;
  }
  const act = {
    ' ': () => play(timer === undefined),
    ArrowRight: () => (play(false), go(at + 1)),
    ArrowDown: () => (play(false), go(at + 1)),
    j: () => (play(false), go(at + 1)),
    ArrowLeft: () => (play(false), go(at - 1)),
    ArrowUp: () => (play(false), go(at - 1)),
    k: () => (play(false), go(at - 1)),
    Home: () => go(0),
    End: () => go(shown.length - 1),
    '/': () => byId('search').focus(),
  }[event.key];
  if (!act || (event.key === ' ' && event.target.tagName === 'BUTTON')) return;
  event.preventDefault();
  act();
});
addEventListener('resize', () => (density(), list()));
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', density);
document.body.classList.add('ready');
filter();
`;

export const pageScript = `'use strict';\n(() => {${given}${program}})();\n`;
