import { UserError } from '../../shared/errors.ts';
import { newId } from './secret.ts';
import { isDuplicate, type Sql } from './sql.ts';

/** What a grant asks besides. */
export interface GrantRules {
  requireActor?: boolean | undefined;
  actors?: readonly string[] | undefined;
  maxTtlSeconds?: number | undefined;
}

export interface StoredGrant extends GrantRules {
  id: string;
  user: string | null;
  group: string | null;
  /** A resource's name, or `*`. */
  resource: string;
  createdAt: number;
  createdBy: string;
}

interface Row {
  id: string;
  user: string | null;
  group_name: string | null;
  resource: string;
  created_at: number;
  created_by: string;
  require_actor: number;
  actors: string | null;
  max_ttl_seconds: number | null;
}

const select = `select g.id, u.name as user, g.group_name, g.resource, g.created_at, g.created_by,
    g.require_actor, g.actors, g.max_ttl_seconds
  from grants g left join users u on u.id = g.user_id`;

const stored = (row: Row): StoredGrant => ({
  id: row.id,
  user: row.user,
  group: row.group_name,
  resource: row.resource,
  createdAt: row.created_at,
  createdBy: row.created_by,
  ...(row.require_actor === 1 && { requireActor: true }),
  ...(row.actors !== null && { actors: JSON.parse(row.actors) as string[] }),
  ...(row.max_ttl_seconds !== null && { maxTtlSeconds: row.max_ttl_seconds }),
});

interface NewGrant extends GrantRules {
  userId: string | null;
  group: string | null;
  resource: string;
  createdBy: string;
}

export type Grants = ReturnType<typeof openGrants>;

/** Who may reach what; nothing here means nobody reaches anything. */
export function openGrants(sql: Sql, now: () => number) {
  return {
    list(filter: { user?: string | undefined; resource?: string | undefined } = {}): StoredGrant[] {
      const rows = sql.all<Row>(`${select} order by g.resource, u.name, g.group_name`).map(stored);
      return rows.filter(
        ({ user, resource }) =>
          (filter.user === undefined || user === filter.user) &&
          (filter.resource === undefined || resource === filter.resource),
      );
    },
    create(grant: NewGrant): StoredGrant {
      const id = newId();
      try {
        sql.run(
          `insert into grants (id, user_id, group_name, resource, created_at, created_by, require_actor, actors, max_ttl_seconds)
           values (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
          id,
          grant.userId,
          grant.group,
          grant.resource,
          now(),
          grant.createdBy,
          Number(grant.requireActor ?? false),
          grant.actors === undefined ? null : JSON.stringify(grant.actors),
          grant.maxTtlSeconds ?? null,
        );
      } catch (cause) {
        if (!isDuplicate(cause)) throw cause;
        throw new UserError('HOOP_EXISTS', 'this grant exists already', { next: '`hoop grants list` shows it', cause });
      }
      return stored(sql.get<Row>(`${select} where g.id = ?`, id) as Row);
    },
    remove(id: string): StoredGrant {
      const row = sql.get<Row>(`${select} where g.id = ?`, id);
      if (!row)
        throw new UserError('HOOP_NOT_FOUND', `there is no grant ${id}`, { next: '`hoop grants list` lists them' });
      sql.run('delete from grants where id = ?', id);
      return stored(row);
    },
    /** Of all grants that name this user, or a group the user is in now, and the resource (or all). */
    rules: (userId: string, resource: string): GrantRules[] =>
      sql
        .all<Row>(
          `${select} where g.resource in (?, '*') and (g.user_id = ?
            or g.group_name in (select group_name from memberships where user_id = ?))`,
          resource,
          userId,
          userId,
        )
        .map(stored),
    /** Does a grant of this user, or of a group the user is in now, name the resource (or all)? */
    covers: (userId: string, resource: string): boolean =>
      sql.get(
        `select 1 from grants g where g.resource in (?, '*') and (g.user_id = ?
          or g.group_name in (select group_name from memberships where user_id = ?)) limit 1`,
        resource,
        userId,
        userId,
      ) !== undefined,
  };
}
