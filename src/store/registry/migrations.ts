/**
 * The registry's schema, one text per version; never edit one that was released, append. Times are milliseconds since 1970.
 * Every secret that somebody else holds (password, token, code) is here as a hash only.
 */
export const migrations: readonly string[] = [
  `
  create table secrets (
    name text primary key,
    value text not null
  ) strict;

  -- A deleted user keeps the row: recordings name it, so the name is never given to somebody else.
  create table users (
    id text primary key,
    name text not null unique,
    role text not null check (role in ('admin', 'auditor', 'user')),
    password_hash text,
    created_at integer not null,
    disabled integer not null default 0,
    deleted_at integer
  ) strict;

  create table memberships (
    user_id text not null references users (id) on delete cascade,
    group_name text not null,
    primary key (user_id, group_name)
  ) strict;

  create table grants (
    id text primary key,
    user_id text references users (id) on delete cascade,
    group_name text,
    resource text not null,
    created_at integer not null,
    created_by text not null,
    check ((user_id is null) <> (group_name is null))
  ) strict;
  create unique index grants_once on grants (ifnull(user_id, ''), ifnull(group_name, ''), resource);

  create table agents (
    name text primary key,
    created_at integer not null,
    public_key text unique,
    join_hash text unique,
    join_expires_at integer,
    last_seen_at integer,
    version text
  ) strict;

  create table resources (
    name text primary key,
    agent text not null references agents (name) on delete cascade,
    protocol text not null,
    address text not null,
    database_name text,
    tls text not null,
    results text not null,
    seen_at integer not null
  ) strict;

  -- Invitations (user_id set) and the set-up code of the first start (user_id null).
  create table invitations (
    hash text primary key,
    user_id text references users (id) on delete cascade,
    expires_at integer not null
  ) strict;

  create table tokens (
    id text primary key,
    user_id text not null references users (id) on delete cascade,
    name text,
    hash text not null unique,
    created_at integer not null,
    expires_at integer not null,
    last_used_at integer,
    revoked_at integer
  ) strict;

  -- What the OAuth server must remember. The key is a hash of the artefact's id, which is the bearer's secret.
  create table sign_ins (
    model text not null,
    key text not null,
    payload text not null,
    grant_id text,
    user_code text,
    rotation integer,
    consumed_at integer,
    final integer not null default 0,
    expires_at integer,
    primary key (model, key)
  ) strict;
  create index sign_ins_by_grant on sign_ins (grant_id) where grant_id is not null;
  create unique index sign_ins_by_user_code on sign_ins (user_code) where user_code is not null;
  create index sign_ins_by_expiry on sign_ins (expires_at) where expires_at is not null;
  `,
  `
  -- Neither retention nor an erasure touches these recordings.
  create table holds (
    session text primary key,
    reason text,
    held_at integer not null,
    held_by text not null
  ) strict;

  -- Who asked that an entry be erased; that it was, the transparency log says.
  create table erasures (
    session text not null,
    seq integer not null,
    erased_at integer not null,
    erased_by text not null,
    primary key (session, seq)
  ) strict, without rowid;

  -- What retention removed: the numbers that a recording had are never given again.
  create table removals (
    session text primary key,
    agent text not null,
    agent_ordinal integer not null,
    removed_at integer not null
  ) strict;
  `,
  `
  -- Its owner says that recorded sessions may be run again there.
  alter table resources add column sandbox integer not null default 0;
  `,
  `
  -- What a grant asks besides: a coding agent that says who it is, one of these names (JSON), a life of sessions.
  alter table grants add column require_actor integer not null default 0;
  alter table grants add column actors text;
  alter table grants add column max_ttl_seconds integer;
  `,
  `
  -- Users whom an upstream OpenID Connect provider vouches for.
  create table identities (
    issuer text not null,
    subject text not null,
    user_id text not null references users (id),
    email text not null,
    seen_at integer not null,
    primary key (issuer, subject)
  ) strict;
  create index identities_by_user on identities (user_id);
  `,
];
