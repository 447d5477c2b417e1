import { UserError } from '../../shared/errors.ts';
import type { Sql } from './sql.ts';
import type { StoredUser, Users } from './users.ts';

/** Who an upstream provider says that somebody is, checked already. */
export interface UpstreamPerson {
  issuer: string;
  subject: string;
  email: string;
  /** A valid name for a new user; where it is taken, a number is added. */
  name: string;
  /** Absent: the provider is not asked for groups, and those given here stay. */
  groups?: readonly string[];
  /** Absent: roles are given here. */
  isAdmin?: boolean;
}

export interface UpstreamSignIn {
  user: StoredUser;
  isNew: boolean;
  /** Groups or role are others than at the last sign-in. */
  changed: boolean;
}

/** Users whom an upstream provider vouches for, known by issuer and subject only: addresses change hands. */
export class UpstreamUsers {
  readonly #sql: Sql;
  readonly #users: Users;
  readonly #now: () => number;

  constructor(sql: Sql, users: Users, now: () => number) {
    this.#sql = sql;
    this.#users = users;
    this.#now = now;
  }

  /** Makes the user at the first sign-in. Throws HOOP_DENIED for one who was disabled or removed here. */
  signedIn(person: UpstreamPerson): UpstreamSignIn {
    return this.#sql.transaction(() => {
      const known = 'select user_id from identities where issuer = ? and subject = ?';
      const row = this.#sql.get<{ user_id: string }>(known, person.issuer, person.subject);
      const before = row ? this.#users.byId(row.user_id) : this.#create(person);
      if (!before || before.disabled)
        throw new UserError('HOOP_DENIED', `the account of ${person.email} is switched off here`, {
          next: 'ask your administrator',
        });
      const seen = 'update identities set email = ?, seen_at = ? where issuer = ? and subject = ?';
      this.#sql.run(seen, person.email, this.#now(), person.issuer, person.subject);
      this.#follow(before, person);
      const user = this.#users.byId(before.id) ?? before;
      const changed = user.role !== before.role || user.groups.join(' ') !== before.groups.join(' ');
      return { user, isNew: row === undefined, changed };
    });
  }

  #create({ issuer, subject, email, name }: UpstreamPerson): StoredUser {
    const user = this.#users.create({ name: this.#freeName(name), role: 'user', groups: [] });
    const text = 'insert into identities (issuer, subject, user_id, email, seen_at) values (?, ?, ?, ?, ?)';
    this.#sql.run(text, issuer, subject, user.id, email, this.#now());
    return user;
  }

  /** The provider has the last word, also about the last administrator. */
  #follow({ id, role, groups }: StoredUser, person: UpstreamPerson): void {
    const wanted = [...new Set(person.groups ?? groups)].sort();
    if (wanted.join(' ') !== groups.join(' ')) this.#users.update(id, { groups: wanted });
    if (person.isAdmin === undefined || person.isAdmin === (role === 'admin')) return;
    this.#sql.run('update users set role = ? where id = ?', person.isAdmin ? 'admin' : 'user', id);
  }

  /** Deleted users keep their names: recordings still say so. */
  #freeName(wanted: string): string {
    const isTaken = (name: string) => this.#sql.get('select 1 from users where name = ?', name) !== undefined;
    for (let number = 1; ; number += 1) {
      const name = number === 1 ? wanted : `${wanted.slice(0, 57)}-${number}`;
      if (!isTaken(name)) return name;
    }
  }
}
