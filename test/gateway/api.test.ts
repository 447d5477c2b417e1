import { fetch } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Role, Session } from '../../src/shared/api.ts';
import {
  makeProof,
  signIn,
  startTestGateway,
  type Answer,
  type SignedIn,
  type TestGateway,
} from '../support/identity-gateway.ts';

let gateway: TestGateway;
let root: SignedIn;
let audit: SignedIn;
let alice: SignedIn;
let bob: SignedIn;
beforeAll(async () => {
  gateway = await startTestGateway();
  const people: [string, Role][] = [
    ['root', 'admin'],
    ['audit', 'auditor'],
    ['alice', 'user'],
    ['bob', 'user'],
  ];
  for (const [name, role] of people) await gateway.addUser(name, role, name === 'bob' ? ['devs'] : []);
  [root, audit, alice, bob] = (await Promise.all(people.map(([name]) => signIn(gateway, name)))) as [
    SignedIn,
    SignedIn,
    SignedIn,
    SignedIn,
  ];
  gateway.sessions.push(session('aaaa1111', 'alice'), session('bbbb2222', 'bob'));
  gateway.statements.set('aaaa1111', [statement('aaaa1111', 1), statement('aaaa1111', 2)]);
});
afterAll(() => gateway.close());

const session = (id: string, user: string): Session => ({
  id,
  user,
  actor: 'cursor',
  actorInstance: 'x',
  resource: 'orders-db',
  protocol: 'postgres',
  agent: 'db-agent',
  startedAt: new Date(0).toISOString(),
  endedAt: null,
  state: 'live',
  reason: null,
  statements: 2,
  errors: 0,
  streams: 1,
  continues: null,
});
const statement = (id: string, seq: number) => ({
  session: id,
  seq,
  stream: 1,
  at: new Date(0).toISOString(),
  verb: 'query',
  text: 'select 1',
  parameters: [],
  outcome: null,
});

describe('without a sign-in', () => {
  it('nothing of the API answers, known or unknown, and no body is read', async () => {
    for (const path of ['/users', '/whoami', '/sessions', '/nothing']) {
      const answer = await fetch(`${gateway.url}/api/v1${path}`);
      expect(`${path} ${answer.status}`).toBe(`${path} 401`);
    }
    const post = await fetch(`${gateway.url}/api/v1/users`, {
      method: 'POST',
      body: '{broken',
      headers: { 'content-type': 'application/json' },
    });
    expect(post.status).toBe(401);
  });

  it('only health and pages answer; unknown paths are JSON', async () => {
    expect(await (await fetch(`${gateway.url}/healthz`)).json()).toMatchObject({ status: 'ok' });
    const unknown = await fetch(`${gateway.url}/wp-login.php`);
    expect(unknown.status).toBe(404);
    expect(await unknown.json()).toMatchObject({ error: { code: 'HOOP_NOT_FOUND' } });
  });
});

describe('roles', () => {
  const adminOnly: [string, string, object?][] = [
    ['POST', '/users', { name: 'mallory' }],
    ['PATCH', '/users/alice', { role: 'admin' }],
    ['DELETE', '/users/bob'],
    ['POST', '/users/root/invitation'],
    ['POST', '/grants', { user: 'alice', resource: '*' }],
    ['DELETE', '/grants/whatever'],
    ['POST', '/agents', { name: 'rogue' }],
    ['DELETE', '/agents/db-agent'],
    ['POST', '/agents/db-agent/join-token'],
    ['POST', '/tokens', { user: 'root', ttlSeconds: 3600 }],
    ['POST', '/log/key'],
  ];
  it.each(adminOnly)('%s %s is for administrators', async (method, path, body) => {
    for (const person of [alice, audit]) {
      const { status, body: answer } = await person.call(method, path, body);
      expect(status).toBe(403);
      expect(answer.error.code).toBe('HOOP_DENIED');
    }
  });

  it.each(['/users', '/grants', '/agents'])('GET %s is for administrators and auditors', async (path) => {
    expect((await alice.call('GET', path)).status).toBe(403);
    expect((await audit.call('GET', path)).status).toBe(200);
    expect((await root.call('GET', path)).status).toBe(200);
  });

  it('act at once: a user who is made auditor is one on the next request', async () => {
    await gateway.addUser('dora');
    const dora = await signIn(gateway, 'dora');
    expect((await dora.call('GET', '/users')).status).toBe(403);
    await root.call('PATCH', '/users/dora', { role: 'auditor' });
    expect((await dora.call('GET', '/users')).status).toBe(200);
  });
});

describe('an administrative act', () => {
  it('needs a sign-in younger than ten minutes; reading does not', async () => {
    gateway.clock.aheadSeconds = 11 * 60;
    // The proof must be of that time too: what is tested is the age of the password.
    const late = async (method: string, path: string, body?: object) => {
      const url = `${gateway.url}/api/v1${path}`;
      const iat = Math.floor(gateway.clock.nowMicros() / 1_000_000);
      const dpop = await makeProof(root.key, { htm: method, htu: url, accessToken: root.accessToken, iat });
      const headers = { authorization: `DPoP ${root.accessToken}`, dpop, 'content-type': 'application/json' };
      const answer = await fetch(url, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) });
      return {
        status: answer.status,
        body: (await answer.json()) as Answer,
        challenge: answer.headers.get('www-authenticate'),
      };
    };
    const refused = await late('POST', '/users', { name: 'late' });
    const read = await late('GET', '/users');
    const key = await late('POST', '/log/key', {});
    gateway.clock.aheadSeconds = 0;
    expect(key.body.error.code).toBe('HOOP_FRESH_SIGN_IN');
    expect(refused.status).toBe(401);
    expect(refused.body.error).toMatchObject({ code: 'HOOP_FRESH_SIGN_IN', next: 'run: hoop login' });
    expect(refused.challenge).toContain('insufficient_user_authentication');
    expect(read.status).toBe(200);
    expect(gateway.registry.users.byName('late')).toBeUndefined();
  });

  it('cannot take away the last administrator', async () => {
    for (const attempt of [
      await root.call('DELETE', '/users/root'),
      await root.call('PATCH', '/users/root', { role: 'user' }),
      await root.call('PATCH', '/users/root', { disabled: true }),
    ]) {
      expect(attempt.body.error.message).toContain('last administrator');
    }
    expect((await root.call('GET', '/whoami')).body.role).toBe('admin');
  });

  it('is told to the record of administration', async () => {
    gateway.acts.length = 0;
    const made = await root.call('POST', '/grants', { user: 'alice', resource: 'acts-db' });
    await root.call('DELETE', `/grants/${made.body.id}`);
    expect(gateway.acts).toEqual([
      'root grant-added {"user":"alice","group":null,"resource":"acts-db"}',
      'root grant-removed {"user":"alice","group":null,"resource":"acts-db"}',
    ]);
  });
});

describe('users', () => {
  it('are invited, or given a password', async () => {
    const invited = await root.call('POST', '/users', { name: 'erin', groups: ['devs'] });
    expect(invited.status).toBe(201);
    expect(invited.body.user).toMatchObject({ name: 'erin', role: 'user', groups: ['devs'], active: false });
    expect(invited.body.invitation.url).toMatch(new RegExp(`^${gateway.url}/invite\\?token=.{43}$`));
    const given = await root.call('POST', '/users', { name: 'fred', password: 'long enough to be one' });
    expect(given.body).toMatchObject({ user: { active: true } });
    expect(given.body.invitation).toBeUndefined();
    expect(JSON.stringify((await root.call('GET', '/users')).body)).not.toContain('scrypt');
  });

  it.each([
    [{ name: 'No Spaces' }, 'name: must be 1 to 63 characters'],
    [{ name: 'gina', role: 'superuser' }, 'role:'],
    [{ name: 'gina', password: 'short' }, 'password: must have at least 10 characters'],
    [{}, 'name:'],
  ])('that are malformed are refused with the field’s name: %j', async (body, message) => {
    const { status, body: answer } = await root.call('POST', '/users', body);
    expect(status).toBe(400);
    expect(answer.error.message).toContain(message);
  });

  it('that exist, or do not, are said to', async () => {
    expect((await root.call('POST', '/users', { name: 'alice' })).status).toBe(409);
    expect((await root.call('DELETE', '/users/nobody')).status).toBe(404);
    expect((await root.call('POST', '/users/nobody/invitation')).status).toBe(404);
  });
});

describe('resources and grants', () => {
  beforeAll(() => {
    const { agents } = gateway.registry;
    agents.create('db-agent');
    const resource = {
      protocol: 'postgres',
      address: '10.0.0.5:5432',
      database: 'orders',
      tls: 'require',
      results: 'digest',
    } as const;
    agents.offerResources('db-agent', '0.1.0', [
      { name: 'orders-db', ...resource },
      { name: 'payroll-db', ...resource },
    ]);
    gateway.online.set('db-agent', { version: '0.1.0' });
  });
  const names = async (person: SignedIn) =>
    (await person.call('GET', '/resources')).body.resources.map(({ name }: { name: string }) => name);

  it('default to nothing, and what is not granted does not exist for a user', async () => {
    expect(await names(alice)).toEqual([]);
    const hidden = await alice.call('GET', '/resources/orders-db');
    const absent = await alice.call('GET', '/resources/no-such-db');
    expect([hidden.status, absent.status]).toEqual([404, 404]);
    expect(hidden.body.error.message.replace('orders-db', 'X')).toBe(
      absent.body.error.message.replace('no-such-db', 'X'),
    );
  });

  it('by user, by group, by star; they end with the grant', async () => {
    const forAlice = await root.call('POST', '/grants', { user: 'alice', resource: 'orders-db' });
    expect(forAlice.status).toBe(201);
    const forDevs = await root.call('POST', '/grants', { group: 'devs', resource: '*' });
    expect(await names(alice)).toEqual(['orders-db']);
    expect(await names(bob)).toEqual(['orders-db', 'payroll-db']);
    expect((await alice.call('GET', '/resources/orders-db')).body).toMatchObject({
      recorded: true,
      granted: true,
      online: true,
      agent: 'db-agent',
    });
    expect((await root.call('POST', '/grants', { user: 'alice', resource: 'orders-db' })).status).toBe(409);
    let asked = 0;
    gateway.identity.onRevoked = ({ kind }) => void (asked += kind === 'access' ? 1 : 0);
    for (const { body } of [forAlice, forDevs])
      expect((await root.call('DELETE', `/grants/${body.id}`)).status).toBe(204);
    expect(asked).toBe(2);
    expect(await names(alice)).toEqual([]);
    expect(await names(bob)).toEqual([]);
  });

  it('administrators see all, granted to nobody', async () => {
    expect(await names(root)).toEqual(['orders-db', 'payroll-db']);
    expect((await root.call('GET', '/resources/orders-db')).body.granted).toBe(false);
  });

  it('need an existing user, and one of user and group', async () => {
    expect((await root.call('POST', '/grants', { user: 'nobody', resource: 'orders-db' })).status).toBe(404);
    expect((await root.call('POST', '/grants', { user: 'alice', group: 'devs', resource: 'orders-db' })).status).toBe(
      400,
    );
    expect((await root.call('POST', '/grants', { resource: 'orders-db' })).status).toBe(400);
  });
});

describe('agents', () => {
  it('are made with a join token that works once, pins a key, and is never shown again', async () => {
    const { status, body } = await root.call('POST', '/agents', { name: 'edge' });
    expect(status).toBe(201);
    const { agents } = gateway.registry;
    expect(agents.joinAgent(body.joinToken.token, 'A'.repeat(43))).toBe('edge');
    expect(() => agents.joinAgent(body.joinToken.token, 'B'.repeat(43))).toThrow(/wrong or was used/);
    expect(agents.agentByKey('A'.repeat(43))).toBe('edge');
    const listed = (await root.call('GET', '/agents')).body.agents.find(
      ({ name }: { name: string }) => name === 'edge',
    );
    expect(listed).toMatchObject({ online: false, key: expect.stringMatching(/^SHA256:/) });
    expect(JSON.stringify(listed)).not.toContain(body.joinToken.token);
    expect((await root.call('DELETE', '/agents/edge')).status).toBe(204);
    expect(agents.agentByKey('A'.repeat(43))).toBeUndefined();
  });

  it('cannot join with an expired token, nor take the resource of another agent', async () => {
    const { agents } = gateway.registry;
    const { token } = agents.create('slow');
    gateway.clock.aheadSeconds = 16 * 60;
    expect(() => agents.joinAgent(token, 'C'.repeat(43))).toThrow(/expired/);
    gateway.clock.aheadSeconds = 0;
    const stolen = {
      name: 'orders-db',
      protocol: 'postgres',
      address: 'evil:5432',
      database: null,
      tls: 'disable',
      results: 'digest',
    } as const;
    expect(agents.offerResources('slow', '0.1.0', [stolen])).toEqual(['orders-db']);
    expect(agents.resource('orders-db')?.agent).toBe('db-agent');
  });
});

describe('sessions', () => {
  it('are one’s own for users, all for auditors and administrators', async () => {
    const ids = async (person: SignedIn) =>
      (await person.call('GET', '/sessions')).body.sessions.map(({ id }: Session) => id);
    expect(await ids(alice)).toEqual(['aaaa1111']);
    expect(await ids(bob)).toEqual(['bbbb2222']);
    expect(await ids(audit)).toEqual(['aaaa1111', 'bbbb2222']);
    expect((await alice.call('GET', '/sessions?user=bob')).body.sessions).toEqual([]);
  });

  it('of others cannot be told from ones that do not exist', async () => {
    for (const path of ['', '/statements', '/receipts', '/export']) {
      const hidden = await bob.call('GET', `/sessions/aaaa1111${path}`);
      const absent = await bob.call('GET', `/sessions/ffff9999${path}`);
      expect([hidden.status, absent.status]).toEqual([404, 404]);
      expect(hidden.body.error.message.replace('aaaa1111', 'X')).toBe(
        absent.body.error.message.replace('ffff9999', 'X'),
      );
    }
  });

  it('stream their statements as one JSON object a line; reading somebody else’s is told to the record', async () => {
    gateway.acts.length = 0;
    const own = await alice.call('GET', '/sessions/aaaa/statements');
    expect(own.headers.get('content-type')).toContain('application/x-ndjson');
    expect(
      own.body
        .trim()
        .split('\n')
        .map((line: string) => JSON.parse(line).seq),
    ).toEqual([1, 2]);
    expect(gateway.acts).toEqual([]);
    await audit.call('GET', '/sessions/aaaa1111/statements');
    expect(gateway.acts).toEqual(['audit recording-read {"session":"aaaa1111","user":"alice"}']);
  });

  it('with a malformed query are a 400 that names it', async () => {
    const { status, body } = await alice.call('GET', '/sessions?limit=0&since=yesterday');
    expect(status).toBe(400);
    expect(body.error.message).toMatch(/since:.*limit:|limit:.*since:/);
  });
});

describe('tokens', () => {
  it('of others are neither seen nor ended', async () => {
    const { body } = await root.call('POST', '/tokens', { user: 'bob', ttlSeconds: 3600 });
    expect(JSON.stringify((await root.call('GET', '/tokens')).body)).not.toContain(body.secret);
    expect((await alice.call('GET', '/tokens')).body.tokens).toEqual([]);
    expect((await alice.call('GET', '/tokens?user=bob')).body.tokens).toEqual([]);
    expect((await alice.call('DELETE', `/tokens/${body.token.id}`)).status).toBe(404);
    expect((await bob.call('GET', '/tokens')).body.tokens).toHaveLength(1);
    expect((await bob.call('DELETE', `/tokens/${body.token.id}`)).status).toBe(204);
  });
});

describe('what is no request', () => {
  it('gets a status and words, never a stack', async () => {
    const malformed = await root.call('POST', '/users', '{broken');
    expect([malformed.status, malformed.body.error.code]).toEqual([400, 'HOOP_USAGE']);
    const huge = await root.call('POST', '/users', { name: 'x', groups: ['y'.repeat(300_000)] });
    expect([huge.status, huge.body.error.code]).toEqual([413, 'HOOP_LIMIT']);
    const unknown = await root.call('GET', '/nothing');
    expect([unknown.status, unknown.body.error.code]).toEqual([404, 'HOOP_NOT_FOUND']);
    const poisoned = await root.call('POST', '/users', '{"name":"poly","__proto__":{"role":"admin"}}');
    expect(poisoned.status).toBe(400);
    for (const { body } of [malformed, huge, unknown, poisoned])
      expect(JSON.stringify(body)).not.toMatch(/node_modules|\.ts:/);
  });

  it('a bug of ours is a 500 that says nothing else, and a line in the log', async () => {
    gateway.statements.set('bbbb2222', undefined as never);
    const broken = { ...session('cccc3333', 'alice') };
    Object.defineProperty(broken, 'id', {
      get: () => {
        throw new Error('secret detail');
      },
      enumerable: true,
    });
    gateway.sessions.push(broken);
    const { status, body } = await alice.call('GET', '/sessions/cccc');
    gateway.sessions.pop();
    expect(status).toBe(500);
    expect(body.error).toMatchObject({ code: 'HOOP_INTERNAL' });
    expect(JSON.stringify(body)).not.toContain('secret detail');
    expect(gateway.logs.join('\n')).toContain('secret detail');
  });
});
