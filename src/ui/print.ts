import { chalk } from './colour.ts';
import { cutToWidth, displayWidth, padToWidth } from './display-width.ts';
import { escapeControl } from './escape-control.ts';

export { escapeControl } from './escape-control.ts';

/** Colour is never alone: the words carry the meaning. */
export const tone = {
  strong: chalk.bold,
  faint: chalk.dim,
  good: chalk.green,
  warn: chalk.yellow,
  bad: chalk.red,
} as const;

export interface Column<Row> {
  title: string;
  /** Any text; control characters are made visible here. */
  value: (row: Row) => string;
  /** Colour, given after the width is known. */
  paint?: (text: string, row: Row) => string;
  alignRight?: boolean;
  /** Said shorter, where the whole table would be wider than the terminal. */
  narrow?: { title?: string; value?: (row: Row) => string };
}

const gap = '  ';
/** A last column narrower than this says nothing; then the terminal wraps the line. */
const lastWidthMin = 6;

interface Layout {
  titles: string[];
  cells: string[][];
  widths: number[];
}

/** One line per row, columns aligned by what a terminal shows; no wider than the terminal where that can be had. */
export function table<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  widthMax = process.stdout.columns ?? Infinity,
): string {
  const full = layOut(rows, columns);
  if (totalWidth(full) <= widthMax) return draw(rows, columns, full);
  const narrow = columns.map(({ narrow: shorter, ...column }) => ({ ...column, ...shorter }));
  return draw(rows, narrow, cutLast(layOut(rows, narrow), widthMax));
}

function layOut<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): Layout {
  const titles = columns.map(({ title }) => title);
  const cells = rows.map((row) => columns.map(({ value }) => escapeControl(value(row))));
  const widths = titles.map((title, index) =>
    Math.max(displayWidth(title), ...cells.map((line) => displayWidth(line[index] ?? ''))),
  );
  return { titles, cells, widths };
}

const totalWidth = ({ widths }: Layout): number =>
  widths.reduce((sum, width) => sum + width, gap.length * Math.max(0, widths.length - 1));

function cutLast(layout: Layout, widthMax: number): Layout {
  const left = widthMax - (totalWidth(layout) - (layout.widths.at(-1) ?? 0));
  if (left < lastWidthMin) return layout;
  const cut = (line: string[]) => [...line.slice(0, -1), cutToWidth(line.at(-1) ?? '', left)];
  return { ...layout, cells: layout.cells.map(cut) };
}

function draw<Row>(rows: readonly Row[], columns: readonly Column<Row>[], { titles, cells, widths }: Layout): string {
  const padded = (text: string, index: number) => {
    const width = widths[index] ?? 0;
    if (columns[index]?.alignRight) return ' '.repeat(Math.max(0, width - displayWidth(text))) + text;
    return index === columns.length - 1 ? text : padToWidth(text, width);
  };
  const head = tone.faint(titles.map(padded).join(gap).trimEnd());
  const lines = rows.map((row, line) =>
    columns
      .map(({ paint }, index) => {
        const text = padded(cells[line]?.[index] ?? '', index);
        return paint ? paint(text, row) : text;
      })
      .join(gap)
      .trimEnd(),
  );
  return [head, ...lines].join('\n');
}

/** `name  value` lines. */
export function facts(pairs: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(0, ...pairs.map(([name]) => displayWidth(name)));
  return pairs.map(([name, value]) => `${tone.faint(padToWidth(name, width))}  ${escapeControl(value)}`).join('\n');
}

/** `1 session`, `2 sessions`. */
export const count = (number: number, one: string, many = `${one}s`): string =>
  `${grouped(number)} ${number === 1 ? one : many}`;

/** `1,234`, of a whole number: the first toLocaleString of a process takes 8 ms. */
const grouped = (number: number): string => String(number).replaceAll(/\B(?=(\d{3})+$)/g, ',');

const two = (number: number): string => String(number).padStart(2, '0');

/** `2026-11-22 21:05:09`, in the reader's zone. */
export function localTime(rfc3339: string): string {
  const time = new Date(rfc3339);
  const date = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  return `${date} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}

const units: [millis: number, name: string][] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1000, 's'],
];

/** `5 min ago`, `in 3 d`. */
export function relativeTime(rfc3339: string, now: number): string {
  const millis = Date.parse(rfc3339) - now;
  const [unit, name] = units.find(([size]) => Math.abs(millis) >= (millis < 0 ? size : size * 0.99)) ?? [1000, 's'];
  // What was made for 30 days a moment ago ends in 30 days; what is past has to be whole.
  const amount = millis < 0 ? Math.floor(-millis / unit) : Math.round(millis / unit);
  if (amount === 0) return 'now';
  return millis < 0 ? `${amount} ${name} ago` : `in ${amount} ${name}`;
}

/** `2026-11-22 21:05:09 (5 min ago)`. */
export const timeAndAge = (rfc3339: string, now: number): string =>
  `${localTime(rfc3339)} (${relativeTime(rfc3339, now)})`;

/** `412 µs`, `1.2 ms`, `3.4 s`, `2 min 5 s`, `1 h 2 min`. */
export function duration(micros: number): string {
  if (micros < 1000) return `${Math.round(micros)} µs`;
  if (micros < 1_000_000) return `${(micros / 1000).toFixed(1)} ms`;
  const seconds = micros / 1_000_000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/** From the start of a session: `+0:00.000`, `+12:05.250`, `+1:00:00.000`. */
export function offset(fromRfc3339: string, toRfc3339: string): string {
  const millis = Math.max(0, Date.parse(toRfc3339) - Date.parse(fromRfc3339));
  const minutes = Math.floor(millis / 60_000) % 60;
  const hours = Math.floor(millis / 3_600_000);
  const seconds = `${two(Math.floor(millis / 1000) % 60)}.${String(millis % 1000).padStart(3, '0')}`;
  return hours > 0 ? `+${hours}:${two(minutes)}:${seconds}` : `+${minutes}:${seconds}`;
}

/** `512 B`, `1.2 KB`, `3.4 MB`. */
export function byteSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${(bytes / 1000).toFixed(1)} KB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
