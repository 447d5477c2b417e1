import { hashSecret } from './secret.ts';
import type { Sql } from './sql.ts';

/** An artefact of the OAuth server as it hands it over: a JSON object; `jti` is the bearer's secret and is not stored. */
export type SignInPayload = Record<string, unknown>;

interface Row {
  payload: string;
  grant_id: string | null;
  rotation: number | null;
  consumed_at: number | null;
  final: number;
}

/**
 * Device codes, grants, access and refresh tokens. Rotation with reuse detection stands here: a refresh token that was exchanged is
 * refused as used, except while it is evident that the answer never arrived (nothing that came with its successor was ever used);
 * then it may be exchanged again, and the lost successors are void. Whoever uses one of those, or a token whose successor is in use,
 * ends the whole grant.
 */
export class SignIns {
  readonly #sql: Sql;
  readonly #now: () => number;

  constructor(sql: Sql, now: () => number) {
    this.#sql = sql;
    this.#now = now;
  }

  save(model: string, id: string, payload: SignInPayload, expiresInSeconds: number | undefined): void {
    const { jti: _secret, ...kept } = payload;
    this.#sql.run(
      `insert into sign_ins (model, key, payload, grant_id, user_code, rotation, expires_at) values (?, ?, ?, ?, ?, ?, ?)
        on conflict (model, key) do update set payload = excluded.payload, grant_id = excluded.grant_id,
        user_code = excluded.user_code, rotation = excluded.rotation, expires_at = excluded.expires_at`,
      model,
      hashSecret(id),
      JSON.stringify(kept),
      textOrNull(payload['grantId']),
      textOrNull(payload['userCode']),
      typeof payload['rotations'] === 'number' ? payload['rotations'] : null,
      expiresInSeconds === undefined ? null : this.#now() + expiresInSeconds * 1000,
    );
  }

  find(model: string, id: string): SignInPayload | undefined {
    const row = this.#row(model, hashSecret(id));
    if (!row) return undefined;
    const payload = { ...(JSON.parse(row.payload) as SignInPayload), jti: id };
    if (row.consumed_at === null || mayRetry(this.#sql, model, row)) return payload;
    return { ...payload, consumed: Math.floor(row.consumed_at / 1000) };
  }

  remove(model: string, id: string): void {
    this.#sql.run('delete from sign_ins where model = ? and key = ?', model, hashSecret(id));
  }

  consume(model: string, id: string): void {
    this.#sql.transaction(() => {
      const key = hashSecret(id);
      const row = this.#row(model, key);
      if (!row) return;
      if (row.consumed_at !== null && model === 'RefreshToken') {
        const lost = `update sign_ins set consumed_at = ?, final = 1
          where model = 'RefreshToken' and grant_id = ? and rotation > ?`;
        this.#sql.run(lost, this.#now(), row.grant_id, row.rotation);
      }
      this.#sql.run('update sign_ins set consumed_at = ? where model = ? and key = ?', this.#now(), model, key);
    });
  }

  /** An access token issued at that time was used, so the answer that carried it arrived: what was exchanged for it is spent for good. */
  answerArrived(grantId: string, issuedAtSeconds: number): void {
    const cut = (issuedAtSeconds + 1) * 1000;
    const open = "model = 'RefreshToken' and grant_id = ? and consumed_at < ? and final = 0";
    if (this.#sql.get(`select 1 from sign_ins where ${open} limit 1`, grantId, cut) === undefined) return;
    this.#sql.run(`update sign_ins set final = 1 where ${open}`, grantId, cut);
  }

  /** A device code that is waiting for its answer. */
  pendingDevice(userCode: string): SignInPayload | undefined {
    const text = "select payload from sign_ins where model = 'DeviceCode' and user_code = ? and expires_at > ?";
    const row = this.#sql.get<Pick<Row, 'payload'>>(text, userCode, this.#now());
    const payload = row && (JSON.parse(row.payload) as SignInPayload);
    return payload && payload['error'] === undefined && payload['accountId'] === undefined ? payload : undefined;
  }

  /** Answers a waiting device code once; false if somebody was faster or it expired. */
  answerDevice(userCode: string, answer: SignInPayload): boolean {
    return this.#sql.transaction(() => {
      const pending = this.pendingDevice(userCode);
      if (!pending) return false;
      const text = "update sign_ins set payload = ?, grant_id = ? where model = 'DeviceCode' and user_code = ?";
      return (
        this.#sql.run(text, JSON.stringify({ ...pending, ...answer }), textOrNull(answer['grantId']), userCode) > 0
      );
    });
  }

  revokeGrant(grantId: string): void {
    this.#sql.transaction(() => {
      this.#sql.run('delete from sign_ins where grant_id = ?', grantId);
      this.#sql.run("delete from sign_ins where model = 'Grant' and key = ?", hashSecret(grantId));
    });
  }

  revokeUser(userId: string): void {
    this.#sql.run("delete from sign_ins where json_extract(payload, '$.accountId') = ?", userId);
  }

  /** Ten minutes late, so that a client that polls an expired code is told so. */
  purge(): void {
    this.#sql.run('delete from sign_ins where expires_at < ?', this.#now() - 600_000);
  }

  #row(model: string, key: string): Row | undefined {
    return this.#sql.get<Row>('select * from sign_ins where model = ? and key = ?', model, key);
  }
}

function mayRetry(sql: Sql, model: string, row: Row): boolean {
  if (model !== 'RefreshToken' || row.final === 1) return false;
  const used = sql.get(
    `select 1 from sign_ins where model = 'RefreshToken' and grant_id = ? and rotation > ? and consumed_at is not null
      and final = 0 limit 1`,
    row.grant_id,
    row.rotation,
  );
  return used === undefined;
}

const textOrNull = (value: unknown): string | null => (typeof value === 'string' ? value : null);
