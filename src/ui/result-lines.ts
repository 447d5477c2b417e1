import type { Statement } from '../shared/api.ts';
import { cutToWidth, displayWidth, padToWidth } from './display-width.ts';
import { count, escapeControl, tone } from './print.ts';

const rowsMax = 10;
const cellWidthMax = 40;

type Table = NonNullable<Statement['results']>[number];

/** The first rows of each result, and how many more there are; `--json` has all that the record keeps. */
export function resultLines({ results = [], outcome }: Pick<Statement, 'results' | 'outcome'>): string[] {
  const lines = results.flatMap(tableLines);
  const { rows, rowsKept } = outcome ?? {};
  if (rows !== undefined && rowsKept !== undefined && rowsKept < rows)
    lines.push(tone.warn(`the record keeps the first ${count(rowsKept, 'row')} of ${rows.toLocaleString('en')}`));
  return lines;
}

function tableLines({ columns, rows }: Table): string[] {
  const shown = [columns.map((name) => tone.faint(cell(name))), ...rows.slice(0, rowsMax).map((row) => row.map(cell))];
  const widths = columns.map((_, index) => Math.max(...shown.map((row) => displayWidth(row[index] ?? ''))));
  const padded = shown.map((row) =>
    row
      .map((text, index) => padToWidth(text, widths[index] ?? 0))
      .join(' | ')
      .trimEnd(),
  );
  const more = rows.length - rowsMax;
  const rest = more > 0 ? [tone.faint(`… ${count(more, 'more row')} (--json shows them)`)] : [];
  return [...padded, ...rest];
}

/** One line, never obeyed, and short. */
const cell = (value: string | null): string =>
  value === null ? tone.faint('NULL') : cutToWidth(escapeControl(value.slice(0, cellWidthMax * 8)), cellWidthMax);
