import fc from 'fast-check';
import { renderToString } from 'ink';
import { describe, expect, test } from 'vitest';
import type { Entry } from '../../src/recording/entry.ts';
import type { Session, Statement } from '../../src/shared/api.ts';
import { replayFormats, type FormatName } from '../../src/ui/formats/formats.ts';
import { density } from '../../src/ui/player/density.ts';
import { Screen } from '../../src/ui/player/screen.tsx';
import { startState } from '../../src/ui/player/state.ts';
import { StatementTrack } from '../../src/ui/player/track.ts';
import { sessionTable } from '../../src/ui/session-table.ts';
import { sessionText } from '../../src/ui/session-text.ts';
import { exampleSession, exampleStatements, hostileTexts } from '../support/example-session.ts';
import { textOf } from '../support/recording-of.ts';

/** What drives a terminal, one way or another: C0, DEL, C1, marks of direction, what is invisible, halves of characters. */
const drives = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;
const ownColours = /\u001B\[[0-9;]*m/g;
const harmless = (text: string) => expect(text.replace(ownColours, '').replaceAll(/\r?\n|\t/g, '')).not.toMatch(drives);

const hostile = fc.oneof(
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
  {
    weight: 1,
    arbitrary: fc
      .array(
        fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
        { maxLength: 30 },
      )
      .map((units) => units.join('')),
  },
  {
    weight: 1,
    arbitrary: fc
      .array(fc.constantFrom(...Array.from({ length: 0xa0 }, (_, code) => String.fromCharCode(code))), {
        maxLength: 40,
      })
      .map((units) => units.join('')),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.string(), fc.constantFrom(...hostileTexts), fc.string()).map((parts) => parts.join('')),
  },
);

const statementOf = (text: string, index: number): Statement => ({
  session: exampleSession.id,
  seq: index,
  stream: 1,
  at: exampleSession.startedAt,
  verb: index % 3 === 0 ? text : 'query',
  text: index % 4 === 1 ? null : text,
  encoding: text,
  textBase64: 'AA==',
  parameters: [{ type: 25, format: 0, base64: 'AA==', shown: text }],
  portal: text,
  arguments: [text],
  redactions: [text],
  results: [{ columns: [text, 'b'], rows: [[text, null]] }],
  outcome: {
    status: (['ok', 'error', 'refused', 'skipped', 'cancelled'] as const)[index % 5]!,
    tag: text,
    errorCode: text,
    errorMessage: text,
  },
});

const sessionOf = (text: string): Session => ({
  ...exampleSession,
  user: text,
  actor: text,
  actorInstance: text,
  resource: text,
  agent: text,
  reason: text,
  continues: text,
});

async function* each<Item>(items: readonly Item[]): AsyncGenerator<Item> {
  yield* items;
}

describe('whatever a recording holds, nothing that shows it lets it drive the terminal', () => {
  const runs = { numRuns: Number(process.env['HOOP_PROVE_RENDERERS'] ?? 60) };
  const recording = fc.array(hostile, { minLength: 1, maxLength: 6 });

  test.each<FormatName>(['text', 'json', 'csv', 'html'])('--format %s', (format) =>
    fc.assert(
      fc.asyncProperty(recording, async (texts) => {
        const statements = texts.map(statementOf);
        const said: string[] = [];
        const source = {
          session: sessionOf(texts[0]!),
          statements: () => each(statements),
          entries: () => each<Entry>([]),
          spool: () => undefined as never,
          stream: undefined,
          say: (line: string) => void said.push(line),
        };
        harmless(await textOf(replayFormats[format](source)));
        harmless(said.join('\n'));
      }),
      runs,
    ),
  );

  test.each(['postgres', 'redis'])('--format sql of %s', (protocol) =>
    fc.assert(
      fc.asyncProperty(recording, async (texts) => {
        const header = (kind: string, seq: number) => ({
          kind,
          stream: 1,
          seq,
          timeMicros: seq,
          payloadBytes: 0,
          commitment: new Uint8Array(32),
          previous: new Uint8Array(32),
        });
        const bodies = [
          { kind: 'stream-open', facts: {} },
          { kind: 'state', name: 'application_name', value: texts[0]! },
          ...texts.flatMap((text, index) => [
            { kind: 'statement', verb: 'query', expectsOutcome: true, text: Buffer.from(text) },
            {
              kind: 'outcome',
              of: 2 + index * 2,
              status: index % 2 ? 'error' : 'ok',
              tag: text,
              errorCode: text,
              errorMessage: text,
            },
          ]),
        ];
        const entries = bodies.map((body, seq) => ({ header: header(body.kind, seq), body }) as Entry);
        const statements = texts.map((text, seq): Statement => ({
          ...exampleStatements[0]!,
          seq,
          text,
          verb: 'command',
        }));
        const source = {
          session: { ...sessionOf(texts[0]!), protocol },
          statements: () => each(statements),
          entries: () => each(entries),
          spool: () => undefined as never,
          stream: undefined,
          say: () => undefined,
        };
        const script = await textOf(replayFormats.sql(source));
        harmless(script);
        // psql's own commands are those that the script makes, whatever stands in the texts.
        const own = script.replaceAll(/E?'(?:[^'\\]|''|\\.)*'|^--.*$/gms, '').match(/\\.\S*/g) ?? [];
        if (protocol === 'postgres')
          expect(own.filter((word) => !/^\\(set|encoding|gset|gexec|;)$/.test(word))).toEqual([]);
      }),
      runs,
    ),
  );

  test('the player', () => {
    fc.assert(
      fc.property(recording, fc.integer({ min: 20, max: 120 }), (texts, columns) => {
        const session = sessionOf(texts[0]!);
        const track = new StatementTrack(session);
        texts.map(statementOf).forEach((statement) => track.add(statement));
        for (let at = 0; at < track.length; at++) {
          const state = {
            ...startState,
            at,
            notice: texts[0]!,
            prompt: at === 0 ? ({ what: 'search', text: texts[0]! } as const) : undefined,
          };
          const bar = density(track, state, columns);
          harmless(
            renderToString(
              <Screen
                {...{ session, track, state, bar, columns, rows: 30, verified: { word: texts[0]!, isGood: false } }}
              />,
              { columns },
            ),
          );
        }
      }),
      { numRuns: Math.ceil(runs.numRuns / 3) },
    );
  });

  test('tables of sessions', () => {
    fc.assert(
      fc.property(recording, (texts) => {
        harmless(sessionTable(texts.map(sessionOf), 0));
        const stream = {
          stream: 1,
          openedAt: exampleSession.startedAt,
          closedAt: null,
          reason: texts[0]!,
          facts: { executable: texts[0]!, [texts[0]!]: texts[0]! },
        };
        const some = texts.map(statementOf);
        const verdict = { word: texts[0]!, isGood: false };
        harmless(sessionText(sessionOf(texts[0]!), { streams: [stream], slowest: some, failed: some }, verdict));
      }),
      runs,
    );
  });
});
