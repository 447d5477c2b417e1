import type { Session, Statement } from '../../src/shared/api.ts';

/** A session as an agent makes one, with everything that a recording could do to its reader. */
export const exampleSession: Session = {
  id: '7k3m9aaaaaaaaaaaaaaaaaaaaa',
  user: 'alice',
  actor: 'cursor',
  actorInstance: 'i-1',
  resource: 'orders-db',
  protocol: 'postgres',
  agent: 'db-agent',
  startedAt: '2026-11-22T10:00:00.000Z',
  endedAt: '2026-11-22T10:05:00.000Z',
  state: 'sealed',
  reason: 'client_closed',
  statements: 12,
  errors: 2,
  streams: 2,
  continues: null,
};

const statement = (seq: number, seconds: number, more: Partial<Statement>): Statement => ({
  session: exampleSession.id,
  seq,
  stream: 1,
  at: new Date(Date.parse(exampleSession.startedAt) + seconds * 1000).toISOString(),
  verb: 'query',
  text: 'select 1',
  parameters: [],
  outcome: { status: 'ok', tag: 'SELECT 1', rows: 1, durationMicros: 1240 },
  ...more,
});

/** Each of them drives or deceives a terminal, a page or a spreadsheet that takes it as it is. */
export const hostileTexts = [
  '\u001B]0;owned\u0007',
  '\u001B]52;c;b3duZWQ=\u0007',
  '\u001B]8;;https://evil.example\u001B\\click\u001B]8;;\u001B\\',
  '\u009B2J\u009D0;owned\u009C',
  '\u001B[2J\u001B[H\u001BP+q\u001B\\',
  '\u202Eevird\u202C \u2066x\u2069',
  'zero\u200Bwidth\uFEFF\u00AD\u{E0041}\u{E0042}',
  '\uD800 lone \uDC00',
  '</script><script>document.title = "owned"</script><img src=x onerror="document.title=\'owned\'">',
  '<!--<script>',
  "=cmd|'/C calc'!A0",
  '\r\n@SUM(1)',
  '\0\b\f\u007F\u2028\u2029',
];

export const exampleStatements: Statement[] = [
  statement(3, 0.5, { text: 'BEGIN', outcome: { status: 'ok', tag: 'BEGIN', durationMicros: 90 } }),
  statement(6, 1.2, {
    verb: 'execute',
    text: "select o.id, o.total\n  from orders o -- the open ones\n where o.customer = $1 and o.state = 'open' and o.total > $2\n order by o.id limit 50",
    parameters: [
      { type: 25, format: 0, base64: 'YW5u', shown: "'ann'" },
      { type: 1700, format: 0, base64: 'MTAwLjUw', shown: '100.50' },
    ],
    outcome: { status: 'ok', tag: 'SELECT 3', rows: 3, durationMicros: 4810 },
    results: [
      {
        columns: ['id', 'total'],
        rows: [
          ['7', '120.00'],
          ['9', null],
        ],
      },
    ],
  }),
  statement(9, 2, {
    verb: 'execute',
    text: 'update orders set state = $1 where id = $2',
    parameters: [
      { type: 25, format: 0, base64: 'c2VudA==', shown: "'sent'" },
      { type: 23, format: 0, base64: null, shown: 'NULL' },
    ],
    outcome: { status: 'ok', tag: 'UPDATE 1', rows: 1, durationMicros: 2400 },
  }),
  statement(11, 3, { text: 'COMMIT', outcome: { status: 'ok', tag: 'COMMIT', durationMicros: 700 } }),
  statement(13, 130, {
    stream: 2,
    text: 'select * from nowhere',
    outcome: {
      status: 'error',
      errorCode: '42P01',
      errorMessage: 'relation "nowhere" does not exist',
      durationMicros: 300,
    },
  }),
  statement(15, 131, {
    stream: 2,
    text: 'drop table orders_old',
    outcome: { status: 'ok', tag: 'DROP TABLE', durationMicros: 9000 },
  }),
  statement(17, 132, {
    stream: 2,
    text: 'copy orders from stdin',
    dataBytes: 1_234_567,
    outcome: { status: 'ok', tag: 'COPY 5000', rows: 5000, durationMicros: 812_000 },
  }),
  statement(19, 200, {
    text: `select ${Array.from({ length: 60 }, (_, line) => `'line ${line}'`).join(',\n  ')}`,
  }),
  statement(21, 250, {
    text: `select '${hostileTexts.join(' ')}'`,
    outcome: { status: 'error', errorCode: '22021', errorMessage: `bad ${hostileTexts.join(' ')}` },
  }),
  statement(23, 260, {
    verb: 'refusal',
    text: null,
    outcome: { status: 'refused', errorCode: 'copy-both', errorMessage: 'no' },
  }),
  statement(25, 299, {
    text: 'select now()',
    outcome: { status: 'ok', tag: 'SELECT 1', rows: 1, durationMicros: 400 },
  }),
];
