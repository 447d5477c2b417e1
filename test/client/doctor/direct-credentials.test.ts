import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findDirectCredentials } from '../../../src/client/doctor/direct-credentials.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'hoop-doctor-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

async function foundIn(path: string, text: string) {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  const places = { folder: join(root, 'project'), home: join(root, 'home'), env: {} };
  return findDirectCredentials(places);
}

describe('credentials that go around the gateway', () => {
  it.each([
    [
      'project/.env',
      'A=1\nDATABASE_URL=postgres://app:s3cr3t-w0rd@db.example.com/orders',
      2,
      'postgres://app:…@db.example.com/orders',
    ],
    ['project/.env.local', 'export PGPASSWORD="s3cr3t-w0rd"', 1, 'PGPASSWORD=…'],
    ['project/.env', 'APP_DB_PASSWORD=s3cr3t-w0rd # for now', 1, 'APP_DB_PASSWORD=…'],
    [
      'project/.cursor/mcp.json',
      '{\n"env": { "DSN": "mysql://root:s3cr3t-w0rd@10.0.0.1:3306/x?password=s3cr3t-w0rd" } }',
      2,
      'mysql://root:…@10.0.0.1:3306/x?password=…',
    ],
    [
      'project/docker-compose.override.yml',
      'services:\n  db:\n    environment:\n      POSTGRES_PASSWORD: s3cr3t-w0rd',
      4,
      'POSTGRES_PASSWORD: …',
    ],
    ['project/compose.yaml', '      - REDIS_URL=redis://:s3cr3t-w0rd@cache:6379/0', 1, 'redis://:…@cache:6379/0'],
    ['home/.pgpass', '# mine\ndb.example.com:5432:*:app:s3cr3t-w0rd', 2, 'db.example.com:5432:*:app:…'],
    ['home/.pg_service.conf', '[orders]\nuser=app\npassword=s3cr3t-w0rd', 3, 'password=…'],
    ['home/.my.cnf', '[client]\npassword = s3cr3t-w0rd', 2, 'password=…'],
    ['home/.zshrc', 'export DATABASE_URL=postgresql://a:s3cr3t-w0rd@h/d', 1, 'postgresql://a:…@h/d'],
    ['home/.config/fish/config.fish', 'set -x PGPASSWORD s3cr3t-w0rd', 1, 'PGPASSWORD=…'],
    [
      'home/.claude.json',
      '{"mcpServers":{"db":{"args":["mongodb+srv://a:s3cr3t-w0rd@h/d"]}}}',
      1,
      'mongodb+srv://a:…@h/d',
    ],
  ])('in %s are named with file and line, never shown', async (path, text, line, shown) => {
    const found = await foundIn(path, text);
    expect(found).toMatchObject([{ file: join(root, path), line, shown }]);
    expect(JSON.stringify(found)).not.toContain('s3cr3t');
  });

  it.each([
    ['a comment', 'project/.env', '# DATABASE_URL=postgres://a:b@h/d'],
    ['a variable', 'project/.env', 'DATABASE_URL=postgres://app:${DB_PASSWORD}@db/orders\nPGPASSWORD=$SECRET'],
    ['no password', 'project/.env', 'DATABASE_URL=postgres://app@db/orders\nDB_HOST=db'],
    ['what hoop connect printed', 'project/.env', 'DATABASE_URL=postgresql://hoop:abc-DEF_123@127.0.0.1:5433/orders'],
    ['a password of something else', 'project/.env', 'SMTP_PASSWORD=hunter2'],
    ['another file', 'project/src/notes.txt', 'PGPASSWORD=hunter2'],
  ])('are not %s', async (_, path, text) => {
    expect(await foundIn(path, text)).toEqual([]);
  });
});
