import { UserError } from '../../shared/errors.ts';
import { newId } from './secret.ts';
import { isDuplicate, type Sql } from './sql.ts';

export interface StoredGrant {
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
}

const select = `select g.id, u.name as user, g.group_name, g.resource, g.created_at, g.created_by
  from grants g left join users u on u.id = g.user_id`;

const stored = (row: Row): StoredGrant => ({
  id: row.id,
  user: row.user,
  group: row.group_name,
  resource: row.resource,
  createdAt: row.created_at,
  createdBy: row.created_by,
});

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
    create(grant: { userId: string | null; group: string | null; resource: string; createdBy: string }): StoredGrant {
      const id = newId();
      try {
        sql.run(
          'insert into grants (id, user_id, group_name, resource, created_at, created_by) values (?, ?, ?, ?, ?, ?)',
          id,
          grant.userId,
          grant.group,
          grant.resource,
          now(),
          grant.createdBy,
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
