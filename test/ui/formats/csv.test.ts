import fc from 'fast-check';
import { expect, test } from 'vitest';
import { csv } from '../../../src/ui/formats/csv.ts';
import { CsvReader } from '../../../src/ui/formats/copy-csv.ts';
import { exampleSession, exampleStatements, hostileTexts } from '../../support/example-session.ts';
import { textOf } from '../../support/recording-of.ts';
import type { Statement } from '../../../src/shared/api.ts';

async function written(statements: Statement[]): Promise<(string | null)[][]> {
  const text = await textOf(
    csv(
      exampleSession,
      (async function* () {
        yield* statements;
      })(),
    ),
  );
  expect(text.endsWith('\r\n')).toBe(true);
  const reader = new CsvReader();
  return [...reader.push(text), ...reader.end()];
}

test('one statement a row, under its title', async () => {
  const [titles, ...rows] = await written(exampleStatements);
  expect(rows).toHaveLength(exampleStatements.length);
  const cell = (row: number, title: string) => rows[row]?.[titles!.indexOf(title)];
  expect(cell(1, 'statement')).toBe(exampleStatements[1]!.text);
  expect(cell(1, 'parameters')).toBe("$1 = 'ann'\n$2 = 100.50");
  expect(cell(1, 'duration_micros')).toBe('4810');
  expect(cell(4, 'error_code')).toBe('42P01');
  expect(cell(6, 'copy_bytes')).toBe('1234567');
  expect(cell(9, 'statement')).toBe(null);
});

test.each(['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', ' =1', '"=1', '\r=1', '\n=1', '＝1', '|x', '%x', "'=1", ',=1'])(
  'a spreadsheet sees no formula in %j',
  async (text) => {
    const [titles, row] = await written([{ ...exampleStatements[0]!, text }]);
    const cell = row![titles!.indexOf('statement')]!;
    expect(cell).not.toMatch(/^[=+\-@|%\t\r\n＝]/);
    expect(cell.endsWith(text.replaceAll('\r', '\\r'))).toBe(true);
  },
);

test('whatever the text, the rows stay rows and nothing drives a terminal', async () => {
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(...hostileTexts));
  await fc.assert(
    fc.asyncProperty(text, text, async (statement, error) => {
      const one: Statement = {
        ...exampleStatements[0]!,
        text: statement,
        outcome: { status: 'error', errorMessage: error },
      };
      const rows = await written([one, one]);
      expect(rows.map((row) => row.length)).toEqual([18, 18, 18]);
      expect(
        rows
          .flat()
          .join('')
          .replaceAll(/[\n\t]/g, ''),
      ).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u);
    }),
  );
});
