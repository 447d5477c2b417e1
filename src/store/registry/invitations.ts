import { limits } from '../../shared/limits.ts';
import { hashSecret, newSecret } from './secret.ts';
import type { Sql } from './sql.ts';

export type Invitations = ReturnType<typeof openInvitations>;

/** One-time secrets: an invitation lets its user set a password, the set-up code makes the first administrator. Looking does not use them up. */
export function openInvitations(sql: Sql, now: () => number) {
  const issue = (userId: string | null): { secret: string; expiresAt: number } =>
    sql.transaction(() => {
      const secret = newSecret();
      const expiresAt = now() + limits.invitationSeconds * 1000;
      sql.run('delete from invitations where user_id is ?', userId);
      sql.run(
        'insert into invitations (hash, user_id, expires_at) values (?, ?, ?)',
        hashSecret(secret),
        userId,
        expiresAt,
      );
      return { secret, expiresAt };
    });
  /** undefined: no such secret. `userId: null` is the set-up code. */
  const look = (secret: string): { userId: string | null } | undefined => {
    const row = sql.get<{ user_id: string | null; expires_at: number }>(
      'select user_id, expires_at from invitations where hash = ?',
      hashSecret(secret),
    );
    return row && row.expires_at > now() ? { userId: row.user_id } : undefined;
  };
  return {
    issue,
    look,
    /** True once per secret, whoever comes first. */
    burn: (secret: string): boolean => sql.run('delete from invitations where hash = ?', hashSecret(secret)) > 0,
    purge: (): void => void sql.run('delete from invitations where expires_at <= ?', now()),
  };
}
