import { createHash } from 'node:crypto';
import { UserError } from '../../shared/errors.ts';
import type { LinkResource } from '../../shared/handshake.ts';
import { limits } from '../../shared/limits.ts';
import { hashSecret, newSecret } from './secret.ts';
import { isDuplicate, type Sql } from './sql.ts';

export interface StoredAgent {
  name: string;
  createdAt: number;
  /** `SHA256:…` of the pinned key, as OpenSSH writes fingerprints; null until it joined. */
  fingerprint: string | null;
  lastSeenAt: number | null;
  version: string | null;
  resources: string[];
}

export interface StoredResource extends LinkResource {
  agent: string;
}

export interface JoinToken {
  token: string;
  expiresAt: number;
}

interface Row {
  name: string;
  created_at: number;
  public_key: string | null;
  last_seen_at: number | null;
  version: string | null;
}

interface ResourceRow extends Omit<StoredResource, 'database' | 'sandbox'> {
  database_name: string | null;
  sandbox: number;
}

const keyFingerprint = (publicKey: string): string =>
  `SHA256:${createHash('sha256').update(Buffer.from(publicKey, 'base64url')).digest('base64').replace(/=+$/, '')}`;

const joinPrefix = 'hoop-join-';

/** Agents, the key that each is pinned to, and the resources that each has offered. */
export class Agents {
  readonly #sql: Sql;
  readonly #now: () => number;

  constructor(sql: Sql, now: () => number) {
    this.#sql = sql;
    this.#now = now;
  }

  get(name: string): StoredAgent {
    const row = this.#sql.get<Row>('select * from agents where name = ?', name);
    if (row) return this.#stored(row);
    throw new UserError('HOOP_NOT_FOUND', `there is no agent ${name}`, { next: '`hoop agents list` lists them' });
  }

  list(): StoredAgent[] {
    return this.#sql.all<Row>('select * from agents order by name').map((row) => this.#stored(row));
  }

  create(name: string): JoinToken {
    return this.#sql.transaction(() => {
      try {
        this.#sql.run('insert into agents (name, created_at) values (?, ?)', name, this.#now());
      } catch (cause) {
        if (!isDuplicate(cause)) throw cause;
        throw new UserError('HOOP_EXISTS', `there is an agent ${name} already`, {
          next: `for a new join token: hoop agents create ${name} --again`,
          cause,
        });
      }
      return this.newJoinToken(name);
    });
  }

  /** The one before it is void from now on. */
  newJoinToken(name: string): JoinToken {
    const token = joinPrefix + newSecret();
    const expiresAt = this.#now() + limits.joinTokenSeconds * 1000;
    const text = 'update agents set join_hash = ?, join_expires_at = ? where name = ?';
    if (this.#sql.run(text, hashSecret(token), expiresAt, name) === 0) this.get(name);
    return { token, expiresAt };
  }

  remove(name: string): void {
    this.get(name);
    this.#sql.run('delete from agents where name = ?', name);
  }

  agentByKey(publicKey: string): string | undefined {
    return this.#sql.get<{ name: string }>('select name from agents where public_key = ?', publicKey)?.name;
  }

  /** The key that an agent is pinned to, base64url; undefined until it joined. */
  publicKey(agent: string): string | undefined {
    return this.#sql.get<Row>('select * from agents where name = ?', agent)?.public_key ?? undefined;
  }

  /** Uses up the token and pins the key (in the place of an older one); the agent's name. Throws HOOP_JOIN_TOKEN. */
  joinAgent(joinToken: string, publicKey: string): string {
    return this.#sql.transaction(() => {
      const row = this.#sql.get<{ name: string; join_expires_at: number }>(
        'select name, join_expires_at from agents where join_hash = ?',
        hashSecret(joinToken),
      );
      if (!row || row.join_expires_at <= this.#now()) throw badJoinToken(row !== undefined);
      const text = 'update agents set public_key = ?, join_hash = null, join_expires_at = null where name = ?';
      this.#sql.run(text, publicKey, row.name);
      return row.name;
    });
  }

  /** Remembers what a linked agent serves; names that another agent holds stay with it and are returned. */
  offerResources(agent: string, version: string, resources: readonly LinkResource[]): string[] {
    return this.#sql.transaction(() => {
      this.#sql.run('update agents set last_seen_at = ?, version = ? where name = ?', this.#now(), version, agent);
      this.#sql.run('delete from resources where agent = ?', agent);
      return resources.filter((one) => !insertResource(this.#sql, agent, one, this.#now())).map(({ name }) => name);
    });
  }

  /** Its link is gone: that was the last time. */
  seen(agent: string): void {
    this.#sql.run('update agents set last_seen_at = ? where name = ?', this.#now(), agent);
  }

  resources(): StoredResource[] {
    return this.#sql.all<ResourceRow>('select * from resources order by name').map(storedResource);
  }

  resource(name: string): StoredResource | undefined {
    const row = this.#sql.get<ResourceRow>('select * from resources where name = ?', name);
    return row && storedResource(row);
  }

  #stored(row: Row): StoredAgent {
    const text = 'select name from resources where agent = ? order by name';
    return {
      name: row.name,
      createdAt: row.created_at,
      fingerprint: row.public_key === null ? null : keyFingerprint(row.public_key),
      lastSeenAt: row.last_seen_at,
      version: row.version,
      resources: this.#sql.all<{ name: string }>(text, row.name).map(({ name }) => name),
    };
  }
}

function insertResource(sql: Sql, agent: string, resource: LinkResource, at: number): boolean {
  return (
    sql.run(
      `insert into resources (name, agent, protocol, address, database_name, tls, results, sandbox, seen_at)
        values (?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (name) do nothing`,
      resource.name,
      agent,
      resource.protocol,
      resource.address,
      resource.database,
      resource.tls,
      resource.results,
      resource.sandbox ? 1 : 0,
      at,
    ) > 0
  );
}

const storedResource = (row: ResourceRow): StoredResource => ({
  name: row.name,
  agent: row.agent,
  protocol: row.protocol,
  address: row.address,
  database: row.database_name,
  tls: row.tls,
  results: row.results,
  sandbox: row.sandbox === 1,
});

function badJoinToken(expired: boolean): UserError {
  return new UserError(
    'HOOP_JOIN_TOKEN',
    expired ? 'the join token has expired' : 'the join token is wrong or was used',
    {
      next: 'make a new one: hoop agents create NAME --again',
    },
  );
}
