import { createHash, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import * as client from 'openid-client';
import { fetch } from 'undici';
import { approveDevice } from '../../src/client/approve-device.ts';
import type { ApiPorts } from '../../src/gateway/api/ports.ts';
import { createHttp, type Http } from '../../src/gateway/http.ts';
import { hashPassword } from '../../src/gateway/identity/password.ts';
import { createIdentity, type Identity } from '../../src/gateway/identity/identity.ts';
import { defaultSignInOptions, type SignInOptions } from '../../src/gateway/identity/sign-in-options.ts';
import { listenHttp } from '../../src/gateway/listen-http.ts';
import { apiPrefix, clientId, oidcPath, type Role, type Session, type Statement } from '../../src/shared/api.ts';
import { systemClock, type Clock } from '../../src/shared/clock.ts';
import { UserError } from '../../src/shared/errors.ts';
import { openRegistry, type Registry } from '../../src/store/registry.ts';

export const password = 'correct horse battery';
/** Slow on purpose, so made once. */
let passwordHash: Promise<string> | undefined;

/** A gateway's HTTP side on a real port, with a registry on disk; sessions come from a list. */
export interface TestGateway {
  url: string;
  dataDir: string;
  registry: Registry;
  identity: Identity;
  http: Http;
  clock: TestClock;
  sessions: Session[];
  statements: Map<string, Statement[]>;
  online: Map<string, { version: string }>;
  acts: string[];
  logs: string[];
  addUser(name: string, role?: Role, groups?: string[]): Promise<void>;
  close(): Promise<void>;
}

/** Real time plus what a test added. */
export class TestClock implements Clock {
  aheadSeconds = 0;
  nowMicros(): number {
    return systemClock.nowMicros() + this.aheadSeconds * 1_000_000;
  }
  monotonicMicros(): number {
    return systemClock.monotonicMicros();
  }
}

export async function startTestGateway(
  options: {
    behindProxy?: boolean;
    tls?: { tlsCert: string; tlsKey: string };
    /** Once its address is known. */
    signIn?: (url: string) => Promise<Partial<SignInOptions>>;
  } = {},
): Promise<TestGateway> {
  const dataDir = mkdtempSync(join(tmpdir(), 'hoop-identity-'));
  const clock = new TestClock();
  const registry = openRegistry(dataDir, clock);
  const { server, url } = await listenHttp({ host: '127.0.0.1', port: 0, ...options.tls });
  const identity = await createIdentity({
    publicUrl: url,
    registry,
    clock,
    options: { ...defaultSignInOptions, ...(await options.signIn?.(url)) },
  });
  const sessions: Session[] = [];
  const statements = new Map<string, Statement[]>();
  const online = new Map<string, { version: string }>();
  const acts: string[] = [];
  const logs: string[] = [];
  const write = (fields: object, message: string) => void logs.push(`${message} ${JSON.stringify(fields)}`);
  const ports: ApiPorts = {
    agents: { online: (name) => online.get(name), disconnect: (name) => void online.delete(name) },
    sessions: listedSessions(sessions, statements),
    logKey: { rollOver: () => Promise.resolve({ before: 'old', key: 'new' }) },
    receipts: ({ id }) => Promise.resolve({ session: id, open: 'proof', end: null }),
    recordAct: ({ act, by, subject }) => void acts.push(`${by.user} ${act} ${JSON.stringify(subject)}`),
  };
  const log = { info: write, warn: write, error: write };
  const http = await createHttp({
    server,
    identity,
    registry,
    ports,
    behindProxy: options.behindProxy ?? false,
    clock,
    log,
  });
  return {
    url,
    dataDir,
    registry,
    identity,
    http,
    clock,
    sessions,
    statements,
    online,
    acts,
    logs,
    async addUser(name, role = 'user', groups = []) {
      passwordHash ??= hashPassword(password);
      registry.users.create({ name, role, groups, passwordHash: await passwordHash });
    },
    async close() {
      await http.close();
      registry.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

function listedSessions(sessions: Session[], statements: Map<string, Statement[]>): ApiPorts['sessions'] {
  const seenBy = (user?: string) => sessions.filter((session) => user === undefined || session.user === user);
  return {
    list: (query, user) => ({
      sessions: seenBy(user).filter((one) => query.user === undefined || one.user === query.user),
      next: null,
    }),
    find(id, user) {
      const found = seenBy(user).find((session) => session.id.startsWith(id));
      if (found) return found;
      throw new UserError('HOOP_NOT_FOUND', `there is no session ${id}`, { next: '`hoop sessions` lists them' });
    },
    async *statements(id) {
      yield* statements.get(id) ?? [];
    },
    async entries(id) {
      throw new UserError('HOOP_NOT_FOUND', `there is no recording of session ${id}`);
    },
    async streams() {
      return [];
    },
    async kill(id) {
      throw new UserError('HOOP_USAGE', `session ${id} has ended already`);
    },
    async export(id) {
      throw new UserError('HOOP_USAGE', `session ${id} has no recording here`, {
        next: 'export it where it was recorded',
      });
    },
  };
}

export interface Key {
  privateKey: CryptoKey;
  publicKey: CryptoKey;
  jwk: JWK;
  thumbprint: string;
}

export async function newKey(): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = await exportJWK(publicKey);
  return { privateKey, publicKey, jwk, thumbprint: await calculateJwkThumbprint(jwk) };
}

export interface ProofFields {
  htm: string;
  htu: string;
  accessToken?: string;
  jti?: string;
  iat?: number;
  header?: Record<string, unknown>;
  claims?: Record<string, unknown>;
}

/** A DPoP proof, made by hand so that an attacker's can be made too. */
export function makeProof(key: Key, { htm, htu, accessToken, jti, iat, header, claims }: ProofFields): Promise<string> {
  const ath = accessToken && createHash('sha256').update(accessToken).digest('base64url');
  return new SignJWT({ htm, htu, jti: jti ?? randomUUID(), ...(ath ? { ath } : {}), ...claims })
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: key.jwk, ...header })
    .setIssuedAt(iat ?? Math.floor(Date.now() / 1000))
    .sign(key.privateKey);
}

/** JSON as it came; tests look into it without a schema, so that the schema is not what is tested. */
// oxlint-disable-next-line typescript/no-explicit-any -- see above
export type Answer = any;

export interface SignedIn {
  key: Key;
  config: client.Configuration;
  dpop: client.DPoPHandle;
  accessToken: string;
  refreshToken: string;
  call(method: string, path: string, body?: unknown): Promise<{ status: number; body: Answer; headers: Headers }>;
}

export async function discover(gateway: Pick<TestGateway, 'url'>): Promise<client.Configuration> {
  const config = await client.discovery(new URL(gateway.url + oidcPath), clientId, undefined, client.None(), {
    execute: [client.allowInsecureRequests],
    [client.customFetch]: fetch as unknown as client.CustomFetch,
  });
  return config;
}

/** The real device flow with openid-client and undici, approved through the real pages. */
export async function signIn(gateway: TestGateway, user: string): Promise<SignedIn> {
  const config = await discover(gateway);
  const key = await newKey();
  const dpop = client.getDPoPHandle(config, { privateKey: key.privateKey, publicKey: key.publicKey });
  const device = await client.initiateDeviceAuthorization(config, {
    scope: 'openid offline_access',
    client_host: 'laptop',
    client_name: 'hoop test',
  });
  await approveDevice({
    verificationUriComplete: device.verification_uri_complete ?? '',
    user,
    password,
    fetch: fetch as never,
  });
  // The library waits `interval` before its first poll; the code is approved already.
  const tokens = await client.pollDeviceAuthorizationGrant(config, { ...device, interval: 0.01 }, undefined, {
    DPoP: dpop,
  });
  return {
    key,
    config,
    dpop,
    accessToken: tokens.access_token,
    refreshToken: tokens.refresh_token ?? '',
    call: (method, path, body) => call(gateway, { key, accessToken: tokens.access_token }, method, path, body),
  };
}

export async function call(
  gateway: Pick<TestGateway, 'url'>,
  { key, accessToken }: { key: Key; accessToken: string },
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; body: Answer; headers: Headers }> {
  const url = gateway.url + apiPrefix + path;
  const proof = await makeProof(key, { htm: method, htu: url.split('?')[0] ?? '', accessToken });
  const answer = await fetch(url, {
    method,
    headers: {
      authorization: `DPoP ${accessToken}`,
      dpop: proof,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  const isJson = answer.headers.get('content-type')?.startsWith('application/json');
  return {
    status: answer.status,
    body: isJson ? JSON.parse(text) : text,
    headers: answer.headers as unknown as Headers,
  };
}
