import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openRegistry, type Registry } from '../../src/store/registry.ts';
import { systemClock } from '../../src/shared/clock.ts';

let dataDir: string;
let registry: Registry;
let aheadSeconds = 0;
const clock = { ...systemClock, nowMicros: () => systemClock.nowMicros() + aheadSeconds * 1_000_000 };
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'hoop-registry-'));
  aheadSeconds = 0;
  registry = openRegistry(dataDir, clock);
});
afterEach(() => {
  registry.close();
  rmSync(dataDir, { recursive: true, force: true });
});

const reopen = () => {
  registry.close();
  registry = openRegistry(dataDir, clock);
};
const addUser = (name: string, groups: string[] = []) =>
  registry.users.create({ name, role: 'user', groups, passwordHash: 'x' });

describe('the registry', () => {
  it('has the log’s next key beside the one in use, and none of the one that it replaced in any file', () => {
    const old = registry.keys.gateway;
    expect(registry.keys.nextGateway).toBeUndefined();
    registry.keys.makeNextGateway();
    registry.keys.dropNextGateway();
    const next = registry.keys.makeNextGateway();
    reopen();
    expect(registry.keys.makeNextGateway()).toEqual(next);
    expect([next.kid, next.x === old.x]).toEqual([old.kid, false]);
    registry.keys.adoptNextGateway();
    expect(registry.keys.gateway).toEqual(next);
    expect(registry.keys.nextGateway).toBeUndefined();
    registry.keys.destroyReplaced();
    const files = readdirSync(dataDir).map((name) => readFileSync(join(dataDir, name)));
    expect(files.some((bytes) => bytes.includes(next.d!))).toBe(true);
    expect(files.some((bytes) => bytes.includes(old.d!))).toBe(false);
    reopen();
    expect(registry.keys.gateway).toEqual(next);
  });

  it('is there again after a restart, keys and all, and only its owner can read it', () => {
    const { credentialKey, gateway, signing } = registry.keys;
    addUser('alice', ['devs', 'ops', 'devs']);
    reopen();
    expect(registry.keys.credentialKey).toEqual(credentialKey);
    expect(credentialKey).toHaveLength(32);
    expect(registry.keys.gateway).toEqual(gateway);
    expect(registry.keys.signing).toEqual(signing);
    expect(registry.users.get('alice').groups).toEqual(['devs', 'ops']);
    expect(statSync(join(dataDir, 'registry.db')).mode & 0o777).toBe(0o600);
  });

  it('of a newer hoop is not touched', () => {
    registry.close();
    const database = new Database(join(dataDir, 'registry.db'));
    const [{ user_version: known }] = database.pragma('user_version') as [{ user_version: number }];
    database.pragma('user_version = 999');
    database.close();
    expect(() => openRegistry(dataDir)).toThrow(/newer hoop/);
    const again = new Database(join(dataDir, 'registry.db'));
    again.pragma(`user_version = ${known}`);
    again.close();
    registry = openRegistry(dataDir, clock);
  });

  it('takes all of a change or nothing', () => {
    const both = () =>
      registry.transaction(() => {
        addUser('bob');
        addUser('bob');
      });
    expect(both).toThrow(/a user bob/);
    expect(registry.users.byName('bob')).toBeUndefined();
  });

  it('deletes what a user had, but never gives the name away', () => {
    const { id } = addUser('alice', ['devs']);
    registry.grants.create({ userId: id, group: null, resource: '*', createdBy: 'root' });
    const { secret } = registry.tokens.create({ userId: id, name: null, ttlSeconds: 60 });
    registry.users.remove(id);
    expect(registry.grants.list()).toEqual([]);
    expect(registry.tokens.use(secret)).toBeUndefined();
    expect(registry.grants.covers(id, 'orders-db')).toBe(false);
    expect(() => addUser('alice')).toThrow(/deleted user/);
    expect(registry.users.isEmpty()).toBe(false);
  });
});

describe('grants', () => {
  it('cover by name, by group and by star, and nothing else', () => {
    const alice = addUser('alice', ['devs']);
    const bob = addUser('bob');
    const covers = (id: string, resource: string) => registry.grants.covers(id, resource);
    expect(covers(alice.id, 'orders-db')).toBe(false);
    registry.grants.create({ userId: null, group: 'devs', resource: 'orders-db', createdBy: 'root' });
    registry.grants.create({ userId: bob.id, group: null, resource: '*', createdBy: 'root' });
    expect([covers(alice.id, 'orders-db'), covers(alice.id, 'other-db')]).toEqual([true, false]);
    expect([covers(bob.id, 'orders-db'), covers(bob.id, 'other-db')]).toEqual([true, true]);
    registry.users.update(alice.id, { groups: [] });
    expect(covers(alice.id, 'orders-db')).toBe(false);
    expect(covers('nobody', 'orders-db')).toBe(false);
  });
});

describe('secrets with an end', () => {
  it('are forgotten when their time is over', () => {
    const { id } = addUser('alice');
    const invitation = registry.invitations.issue(id);
    registry.signIns.save('AccessToken', 'secret-id', { accountId: id, grantId: 'g' }, 60);
    expect(registry.signIns.find('AccessToken', 'secret-id')).toMatchObject({ jti: 'secret-id', accountId: id });
    aheadSeconds = 60 + 601;
    registry.purge();
    expect(registry.signIns.find('AccessToken', 'secret-id')).toBeUndefined();
    expect(registry.invitations.look(invitation.secret)).toEqual({ userId: id });
    aheadSeconds = 25 * 3600;
    registry.purge();
    expect(registry.invitations.look(invitation.secret)).toBeUndefined();
    expect(registry.invitations.burn(invitation.secret)).toBe(false);
  });
});

describe('an agent’s key', () => {
  it('is pinned by a join token, and by a newer one instead', () => {
    const { token } = registry.agents.create('db-agent');
    const older = registry.agents.newJoinToken('db-agent');
    expect(() => registry.agents.joinAgent(token, 'K1')).toThrow(/wrong or was used/);
    registry.agents.joinAgent(older.token, 'K1');
    registry.agents.joinAgent(registry.agents.newJoinToken('db-agent').token, 'K2');
    expect(registry.agents.agentByKey('K1')).toBeUndefined();
    expect(registry.agents.agentByKey('K2')).toBe('db-agent');
  });
});
