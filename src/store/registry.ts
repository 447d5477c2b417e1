import { join } from 'node:path';
import { Agents } from './registry/agents.ts';
import { openGrants, type Grants } from './registry/grants.ts';
import { openInvitations, type Invitations } from './registry/invitations.ts';
import { openKeptRecordings, type KeptRecordings } from './registry/kept-recordings.ts';
import { openKeys, type GatewayKeys } from './registry/keys.ts';
import { migrations } from './registry/migrations.ts';
import { SignIns } from './registry/sign-ins.ts';
import { openSql } from './registry/sql.ts';
import { openTokens, type Tokens } from './registry/tokens.ts';
import { UpstreamUsers } from './registry/upstream-users.ts';
import { Users } from './registry/users.ts';
import { systemClock, type Clock } from '../shared/clock.ts';

/**
 * The truth about who exists and who may do what: `<data-dir>/registry.db`. It cannot be derived from anything else: back it up.
 * An attacker who can write it can let anybody in; one who can read it has the gateway's keys, but no password and no token.
 */
export interface Registry {
  users: Users;
  upstreamUsers: UpstreamUsers;
  grants: Grants;
  agents: Agents;
  tokens: Tokens;
  invitations: Invitations;
  signIns: SignIns;
  keys: GatewayKeys;
  recordings: KeptRecordings;
  /** All of `act` or nothing. */
  transaction<T>(act: () => T): T;
  /** Forgets what has expired. */
  purge(): void;
  close(): void;
}

export function openRegistry(dataDir: string, clock: Clock = systemClock): Registry {
  const sql = openSql(join(dataDir, 'registry.db'), migrations);
  const now = () => Math.floor(clock.nowMicros() / 1000);
  const signIns = new SignIns(sql, now);
  const invitations = openInvitations(sql, now);
  const users = new Users(sql, now);
  return {
    users,
    upstreamUsers: new UpstreamUsers(sql, users, now),
    grants: openGrants(sql, now),
    agents: new Agents(sql, now),
    tokens: openTokens(sql, now),
    invitations,
    signIns,
    keys: openKeys(sql),
    recordings: openKeptRecordings(sql, now),
    transaction: (act) => sql.transaction(act),
    purge() {
      signIns.purge();
      invitations.purge();
    },
    close: () => sql.close(),
  };
}
