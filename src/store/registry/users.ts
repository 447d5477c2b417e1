import type { Role } from '../../shared/api.ts';
import { UserError } from '../../shared/errors.ts';
import { newId } from './secret.ts';
import { isDuplicate, type Sql } from './sql.ts';

export interface StoredUser {
  /** Never used again, unlike a name in other products: sign-ins refer to it. */
  id: string;
  name: string;
  role: Role;
  groups: string[];
  createdAt: number;
  active: boolean;
  disabled: boolean;
}

interface Row {
  id: string;
  name: string;
  role: Role;
  created_at: number;
  active: number;
  disabled: number;
}

const columns = 'id, name, role, created_at, disabled, password_hash is not null as active';

export type Users = ReturnType<typeof openUsers>;

/** Who exists. Throws HOOP_EXISTS and HOOP_NOT_FOUND. */
export function openUsers(sql: Sql, now: () => number) {
  const stored = (row: Row): StoredUser => ({
    id: row.id,
    name: row.name,
    role: row.role,
    groups: sql
      .all<{ group_name: string }>('select group_name from memberships where user_id = ? order by 1', row.id)
      .map(({ group_name }) => group_name),
    createdAt: row.created_at,
    active: row.active === 1,
    disabled: row.disabled === 1,
  });
  const byName = (name: string): StoredUser | undefined => {
    const row = sql.get<Row>(`select ${columns} from users where name = ? and deleted_at is null`, name);
    return row && stored(row);
  };
  const byId = (id: string): StoredUser | undefined => {
    const row = sql.get<Row>(`select ${columns} from users where id = ? and deleted_at is null`, id);
    return row && stored(row);
  };
  const get = (name: string): StoredUser => {
    const user = byName(name);
    if (user) return user;
    throw new UserError('HOOP_NOT_FOUND', `there is no user ${name}`, { next: '`hoop users list` lists them' });
  };
  const setGroups = (id: string, groups: readonly string[]): void => {
    sql.run('delete from memberships where user_id = ?', id);
    for (const group of new Set(groups))
      sql.run('insert into memberships (user_id, group_name) values (?, ?)', id, group);
  };
  return {
    byName,
    byId,
    get,
    list: (): StoredUser[] =>
      sql.all<Row>(`select ${columns} from users where deleted_at is null order by name`).map(stored),
    /** Has anybody ever been here? Deleted users count: set-up happens once. */
    isEmpty: (): boolean => sql.get('select 1 from users limit 1') === undefined,
    create(user: { name: string; role: Role; groups: readonly string[]; passwordHash?: string }): StoredUser {
      return sql.transaction(() => {
        const id = newId();
        try {
          sql.run(
            'insert into users (id, name, role, password_hash, created_at) values (?, ?, ?, ?, ?)',
            id,
            user.name,
            user.role,
            user.passwordHash ?? null,
            now(),
          );
        } catch (cause) {
          if (!isDuplicate(cause)) throw cause;
          throw nameTaken(user.name, byName(user.name) === undefined, cause);
        }
        setGroups(id, user.groups);
        return get(user.name);
      });
    },
    update(
      id: string,
      change: { role?: Role | undefined; groups?: readonly string[] | undefined; disabled?: boolean | undefined },
    ): void {
      sql.transaction(() => {
        const hadAdmin = hasAdmin(sql);
        if (change.role !== undefined) sql.run('update users set role = ? where id = ?', change.role, id);
        if (change.disabled !== undefined)
          sql.run('update users set disabled = ? where id = ?', Number(change.disabled), id);
        if (change.groups !== undefined) setGroups(id, change.groups);
        if (hadAdmin) keepOneAdmin(sql);
      });
    },
    /** The name stays taken; grants, tokens, memberships and invitations go. */
    remove(id: string): void {
      sql.transaction(() => {
        const hadAdmin = hasAdmin(sql);
        sql.run('update users set deleted_at = ?, password_hash = null, disabled = 1 where id = ?', now(), id);
        for (const table of ['memberships', 'grants', 'tokens', 'invitations']) {
          sql.run(`delete from ${table} where user_id = ?`, id);
        }
        if (hadAdmin) keepOneAdmin(sql);
      });
    },
    passwordHash: (id: string): string | null =>
      sql.get<{ password_hash: string | null }>('select password_hash from users where id = ?', id)?.password_hash ??
      null,
    setPasswordHash: (id: string, hash: string): void =>
      void sql.run('update users set password_hash = ? where id = ?', hash, id),
  };
}

const hasAdmin = (sql: Sql): boolean =>
  sql.get("select 1 from users where role = 'admin' and disabled = 0 and password_hash is not null limit 1") !==
  undefined;

/** Inside the transaction of the change: throwing takes it back. */
function keepOneAdmin(sql: Sql): void {
  if (hasAdmin(sql)) return;
  throw new UserError('HOOP_DENIED', 'this is the last administrator who can sign in', {
    next: 'make another administrator first: hoop users create NAME --role admin',
  });
}

function nameTaken(name: string, deleted: boolean, cause: unknown): UserError {
  if (!deleted)
    return new UserError('HOOP_EXISTS', `there is a user ${name} already`, { next: 'choose another name', cause });
  return new UserError('HOOP_EXISTS', `${name} was the name of a deleted user, and recordings still say so`, {
    next: 'choose another name',
    cause,
  });
}
