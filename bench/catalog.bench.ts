import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { test } from 'vitest';
import { formatSessionId } from '../src/recording/session-id.ts';
import { sessionsQuerySchema } from '../src/shared/api.ts';
import { openCatalogDatabase } from '../src/store/catalog-database.ts';
import { statementId } from '../src/store/catalog-search.ts';
import { Catalog } from '../src/store/catalog.ts';

/** One catalog that grows, looked at in each of these sizes. */
const sizes = (process.env['HOOP_BENCH_SESSIONS'] ?? '100000').split(',').map(Number);
const perSession = 10;
const rounds = 21;

/** Looking for sessions among very many. The rows are written as a start that rebuilds the catalog would, without the recordings. */
test('the catalog', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hoop-catalog-'));
  const database = openCatalogDatabase(join(folder, 'catalog.db'));
  try {
    const catalog = new Catalog(folder, database);
    let filled = 0;
    for (const sessions of sizes) {
      const started = performance.now();
      for (; filled < sessions; filled += 1000) database.transaction(() => fill(database, filled + 1));
      console.log(`${sessions} sessions, ${sessions * perSession} statements, made in ${seconds(started)} s`);
      look(catalog, sessions);
      await setImmediate(); // what was found is printed before the next size is made
    }
  } finally {
    database.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

function look(catalog: Catalog, sessions: number): void {
  for (const [name, filter] of Object.entries(looksAmong(sessions))) {
    const query = sessionsQuerySchema.parse(filter);
    const times = Array.from({ length: rounds }, () => {
      const from = performance.now();
      catalog.page(query);
      return performance.now() - from;
    }).toSorted((one, other) => one - other);
    const load = loadavg()[0]!.toFixed(1);
    console.log(
      `  ${name.padEnd(34)} p50 ${times[rounds >> 1]!.toFixed(2)} ms, worst ${times.at(-1)!.toFixed(2)} ms, load ${load}`,
    );
  }
}

const seconds = (from: number) => ((performance.now() - from) / 1000).toFixed(0);

const looksAmong = (sessions: number) => ({
  'the newest 50': {},
  'of one user in a thousand': { user: 'user7' },
  'with errors, dangerous': { errors: 'true', class: 'dangerous' },
  'since a half of them': { since: new Date(startMillis(sessions / 2)).toISOString(), user: 'user7' },
  'text: in every session': { text: 'select' },
  'text: in one of 1,000': { text: 'drop table' },
  'text: in one': { text: `needle${Math.floor(sessions / 2) + 1}` },
  'text: in none': { text: 'absent' },
  'text in every one, and a rare user': { text: 'select', user: 'user7' },
  'text and user that never meet': { text: 'drop table', user: 'user7' },
});

function startMillis(ordinal: number): number {
  return Date.UTC(2026, 0, 1) + Math.floor(ordinal) * 1000;
}

function fill(database: ReturnType<typeof openCatalogDatabase>, from: number): void {
  for (let ordinal = from; ordinal < from + 1000; ordinal++) {
    const idBytes = Buffer.alloc(16);
    idBytes.writeUInt32BE(ordinal);
    const isRare = ordinal % 1000 === 0;
    database.run(
      `insert into sessions values (?, ?, 'cursor', 'i', ?, 'postgres', 'agent', ?, ?, 'sealed', 'client_closed', ?, ?, 1, null, null, ?, ?, ?, 0, 0, ?)`,
      formatSessionId(idBytes),
      `user${ordinal % 1000}`,
      `db${ordinal % 20}`,
      new Date(startMillis(ordinal)).toISOString(),
      new Date(startMillis(ordinal) + 500).toISOString(),
      perSession,
      ordinal % 10 === 0 ? 1 : 0,
      ordinal,
      ordinal,
      startMillis(ordinal) * 1000,
      isRare ? 1 : 0,
    );
    for (let seq = 0; seq < perSession; seq++) {
      const text =
        seq === 0 && isRare
          ? `drop table t${ordinal}`
          : `select id, note from orders where id = ${ordinal * perSession + seq} and name = 'needle${seq === 0 ? ordinal : ''}'`;
      const id = statementId(ordinal, seq);
      database.run('insert into statements (id, text) values (?, ?)', id, text);
      database.run('insert into statement_words (rowid, text) values (?, ?)', id, text);
    }
  }
}
