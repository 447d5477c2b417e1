import { UserError } from '../../shared/errors.ts';
import { hashSecret, newId, newSecret } from './secret.ts';
import type { Sql } from './sql.ts';

export interface StoredToken {
  id: string;
  userId: string;
  user: string;
  name: string | null;
  createdAt: number;
  expiresAt: number;
  lastUsedAt: number | null;
}

interface Row {
  id: string;
  user_id: string;
  user: string;
  name: string | null;
  created_at: number;
  expires_at: number;
  last_used_at: number | null;
}

const select = `select t.id, t.user_id, u.name as user, t.name, t.created_at, t.expires_at, t.last_used_at
  from tokens t join users u on u.id = t.user_id where t.revoked_at is null`;

const stored = (row: Row): StoredToken => ({
  id: row.id,
  userId: row.user_id,
  user: row.user,
  name: row.name,
  createdAt: row.created_at,
  expiresAt: row.expires_at,
  lastUsedAt: row.last_used_at,
});

/** So that secret scanners can tell what they found. */
const tokenPrefix = 'hoop-token-';

export type Tokens = ReturnType<typeof openTokens>;

/** HOOP_TOKEN: what a machine signs in with. Only hashes are kept. */
export function openTokens(sql: Sql, now: () => number) {
  const live = (id: string): StoredToken | undefined => {
    const row = sql.get<Row>(`${select} and t.id = ? and t.expires_at > ?`, id, now());
    return row && stored(row);
  };
  return {
    live,
    list: (user?: string): StoredToken[] =>
      sql
        .all<Row>(`${select} order by t.created_at desc`)
        .map(stored)
        .filter((token) => user === undefined || token.user === user),
    create(token: { userId: string; name: string | null; ttlSeconds: number }): { token: StoredToken; secret: string } {
      const id = newId();
      const secret = tokenPrefix + newSecret();
      sql.run(
        'insert into tokens (id, user_id, name, hash, created_at, expires_at) values (?, ?, ?, ?, ?, ?)',
        id,
        token.userId,
        token.name,
        hashSecret(secret),
        now(),
        now() + token.ttlSeconds * 1000,
      );
      return { token: live(id) as StoredToken, secret };
    },
    /** The live token behind a secret, now used. */
    use(secret: string): StoredToken | undefined {
      const row = sql.get<{ id: string }>('select id from tokens where hash = ?', hashSecret(secret));
      const token = row && live(row.id);
      if (token) sql.run('update tokens set last_used_at = ? where id = ?', now(), token.id);
      return token;
    },
    revoke(id: string, restrictToUser?: string): StoredToken {
      const row = sql.get<Row>(`${select} and t.id = ?`, id);
      if (!row || (restrictToUser !== undefined && row.user !== restrictToUser)) {
        throw new UserError('HOOP_NOT_FOUND', `there is no token ${id}`, { next: '`hoop tokens list` lists them' });
      }
      sql.run('update tokens set revoked_at = ? where id = ?', now(), id);
      return stored(row);
    },
  };
}
