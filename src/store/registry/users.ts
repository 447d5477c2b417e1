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

/** Who can prove who they are: by a password, or at an upstream provider. */
const isActive = '(password_hash is not null or exists (select 1 from identities where user_id = users.id))';
const columns = `id, name, role, created_at, disabled, ${isActive} as active`;

/** Who exists. Throws HOOP_EXISTS and HOOP_NOT_FOUND. */
export class Users {
  readonly #sql: Sql;
  readonly #now: () => number;

  constructor(sql: Sql, now: () => number) {
    this.#sql = sql;
    this.#now = now;
  }

  byName(name: string): StoredUser | undefined {
    return this.#one(`select ${columns} from users where name = ? and deleted_at is null`, name);
  }

  byId(id: string): StoredUser | undefined {
    return this.#one(`select ${columns} from users where id = ? and deleted_at is null`, id);
  }

  get(name: string): StoredUser {
    const user = this.byName(name);
    if (user) return user;
    throw new UserError('HOOP_NOT_FOUND', `there is no user ${name}`, { next: '`hoop users list` lists them' });
  }

  list(): StoredUser[] {
    const rows = this.#sql.all<Row>(`select ${columns} from users where deleted_at is null order by name`);
    return rows.map((row) => this.#stored(row));
  }

  /**
   * Has nobody been here who could administer? Deleted users count: set-up happens once. People of an upstream provider who came before the
   * first administrator do not, or whoever signs in first would close the door to set-up.
   */
  isEmpty(): boolean {
    const text = "select 1 from users where role = 'admin' or id not in (select user_id from identities) limit 1";
    return this.#sql.get(text) === undefined;
  }

  create(user: { name: string; role: Role; groups: readonly string[]; passwordHash?: string }): StoredUser {
    return this.#sql.transaction(() => {
      const id = newId();
      const { name, role, passwordHash = null } = user;
      try {
        const text = 'insert into users (id, name, role, password_hash, created_at) values (?, ?, ?, ?, ?)';
        this.#sql.run(text, id, name, role, passwordHash, this.#now());
      } catch (cause) {
        if (!isDuplicate(cause)) throw cause;
        throw nameTaken(name, this.byName(name) === undefined, cause);
      }
      this.#setGroups(id, user.groups);
      return this.get(name);
    });
  }

  update(
    id: string,
    change: { role?: Role | undefined; groups?: readonly string[] | undefined; disabled?: boolean | undefined },
  ): void {
    this.#keepingOneAdmin(() => {
      if (change.role !== undefined) this.#sql.run('update users set role = ? where id = ?', change.role, id);
      if (change.disabled !== undefined) {
        this.#sql.run('update users set disabled = ? where id = ?', Number(change.disabled), id);
      }
      if (change.groups !== undefined) this.#setGroups(id, change.groups);
    });
  }

  /** The name stays taken; grants, tokens, memberships and invitations go. */
  remove(id: string): void {
    this.#keepingOneAdmin(() => {
      const text = 'update users set deleted_at = ?, password_hash = null, disabled = 1 where id = ?';
      this.#sql.run(text, this.#now(), id);
      for (const table of ['memberships', 'grants', 'tokens', 'invitations']) {
        this.#sql.run(`delete from ${table} where user_id = ?`, id);
      }
    });
  }

  passwordHash(id: string): string | null {
    const row = this.#sql.get<{ password_hash: string | null }>('select password_hash from users where id = ?', id);
    return row?.password_hash ?? null;
  }

  setPasswordHash(id: string, hash: string): void {
    this.#sql.run('update users set password_hash = ? where id = ?', hash, id);
  }

  #one(text: string, value: string): StoredUser | undefined {
    const row = this.#sql.get<Row>(text, value);
    return row && this.#stored(row);
  }

  #stored(row: Row): StoredUser {
    const text = 'select group_name from memberships where user_id = ? order by 1';
    return {
      id: row.id,
      name: row.name,
      role: row.role,
      groups: this.#sql.all<{ group_name: string }>(text, row.id).map(({ group_name }) => group_name),
      createdAt: row.created_at,
      active: row.active === 1,
      disabled: row.disabled === 1,
    };
  }

  #setGroups(id: string, groups: readonly string[]): void {
    this.#sql.run('delete from memberships where user_id = ?', id);
    for (const group of new Set(groups)) {
      this.#sql.run('insert into memberships (user_id, group_name) values (?, ?)', id, group);
    }
  }

  /** Throwing inside the transaction takes the change back. */
  #keepingOneAdmin(change: () => void): void {
    this.#sql.transaction(() => {
      const before = hasAdmin(this.#sql);
      change();
      if (!before || hasAdmin(this.#sql)) return;
      throw new UserError('HOOP_DENIED', 'this is the last administrator who can sign in', {
        next: 'make another administrator first: hoop users create NAME --role admin',
      });
    });
  }
}

const hasAdmin = (sql: Sql): boolean =>
  sql.get(`select 1 from users where role = 'admin' and disabled = 0 and ${isActive} limit 1`) !== undefined;

function nameTaken(name: string, deleted: boolean, cause: unknown): UserError {
  if (!deleted)
    return new UserError('HOOP_EXISTS', `there is a user ${name} already`, { next: 'choose another name', cause });
  return new UserError('HOOP_EXISTS', `${name} was the name of a deleted user, and recordings still say so`, {
    next: 'choose another name',
    cause,
  });
}
