import { readdirSync, readFileSync } from 'node:fs';
import fastify from 'fastify';
import pg from 'pg';
import { fetch } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import { operations } from '../../src/gateway/api/operations.ts';
import { registerApi } from '../../src/gateway/api/routes.ts';
import { apiPrefix } from '../../src/shared/api.ts';
import { at } from '../support/load.ts';
import { startAnyPostgres } from '../support/postgres.ts';
import type { SignedIn } from '../support/identity-gateway.ts';
import { startStack, type Stack } from '../support/stack.ts';

// oxlint-disable-next-line typescript/no-explicit-any -- JSON that a gateway gave
type Json = any;

let postgres: PostgresServer;
let stack: Stack;
let root: SignedIn;
let alice: SignedIn;
let document: Json;
beforeAll(async () => {
  postgres = await startAnyPostgres();
  stack = await startStack({ postgres });
  await stack.addUser('root', 'admin');
  await stack.addUser('alice');
  [root, alice] = await Promise.all([stack.signIn('root'), stack.signIn('alice')]);
  const connected = await stack.connect(alice);
  const client = new pg.Client(at(connected.environment));
  await client.connect();
  await client.query('select $1::text as told', ['once']);
  await client.end();
  await connected.close();
  document = await (await fetch(`${stack.gateway.url}${apiPrefix}/openapi.json`)).json();
});
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await postgres?.stop();
});

const described = (): string[] =>
  Object.entries<Json>(document.paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method} ${path.slice(apiPrefix.length)}`),
  );

it('is OpenAPI 3.1, served to anybody; each reference leads somewhere, each operation has a name of its own', () => {
  expect(document.openapi).toBe('3.1.0');
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path]) => path!);
  expect(references.length).toBeGreaterThan(50);
  for (const path of references) {
    const found = path.split('/').reduce((inside: Json, name) => inside?.[name], document);
    expect(found, path).toBeDefined();
  }
  const names = Object.values<Json>(document.paths).flatMap((item) =>
    Object.values<Json>(item).map((one) => one.operationId),
  );
  expect(new Set(names).size).toBe(operations.length);
});

it('describes the routes that there are, all of them and no others', async () => {
  const app = fastify();
  const routes: string[] = [];
  app.addHook('onRoute', ({ method, path }) => {
    for (const one of [method].flat())
      if (one !== 'HEAD') routes.push(`${one.toLowerCase()} ${path.replaceAll(/:(\w+)/g, '{$1}')}`);
  });
  const context = { registry: {}, identity: {}, ports: { recordings: {}, logKey: {}, sessions: {} }, clock: {} };
  registerApi(app, context as never);
  await app.close();
  expect([...routes, 'get /openapi.json'].toSorted()).toEqual(described().toSorted());
});

/** What a file of requests asks for; names are `{}`. `path(…)` is the beginning that its requests share. */
function pathsIn(source: string): string[] {
  const [line, shared = ''] = /const path = .*`(.*)`;/.exec(source) ?? ['', ''];
  const requests = source.replace(line, '').replaceAll(/(?<=[ (])path\(\w+\)/g, (call) => `\`\${${call}}\``);
  return [...requests.matchAll(/['`]((?:\/[a-z]|\$\{path\()[^'`]*)['`]/g)].map(([, path]) =>
    path!
      .replace(/\$\{path\(\w+\)\}/, () => shared)
      .replaceAll(/\$\{encodeURIComponent\(\w+\)\}/g, '{}')
      .replace(/\$\{.*$/, ''),
  );
}

it('describes what the command line asks for, and it asks for nothing else', () => {
  const folder = new URL('../../src/client/api/', import.meta.url);
  const asked = readdirSync(folder).flatMap((file) => pathsIn(readFileSync(new URL(file, folder), 'utf8')));
  const known = described().map((one) => one.split(' ')[1]!.replaceAll(/\{\w+\}/g, '{}'));
  expect(asked.length).toBeGreaterThan(20);
  expect(asked.filter((path) => !known.includes(path))).toEqual([]);
});

describe('what a gateway answers is as described, and has nothing that is not', () => {
  const ask = async (who: SignedIn, method: string, path: string, body?: unknown) => {
    const template = Object.keys(document.paths).find((each) =>
      new RegExp(`^${each.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(apiPrefix + path.split('?')[0]),
    )!;
    const { responses } = document.paths[template][method.toLowerCase()];
    const answer = await who.call(method, path, body);
    const response = responses[answer.status] ?? document.components.responses.error;
    const schema = response.content?.['application/json']?.schema;
    if (schema) strictly(schema).parse(answer.body);
    return { status: answer.status, body: answer.body, isDescribed: responses[answer.status] !== undefined };
  };

  it.each([
    ['GET', '/whoami'],
    ['GET', '/users'],
    ['POST', '/users', { name: 'carol', groups: ['devs'] }],
    ['PATCH', '/users/carol', { role: 'auditor' }],
    ['POST', '/users/carol/invitation'],
    ['POST', '/grants', { group: 'devs', resource: 'orders-db', requireActor: true }],
    ['GET', '/grants?resource=orders-db'],
    ['POST', '/agents', { name: 'other' }],
    ['POST', '/agents/other/join-token'],
    ['GET', '/agents'],
    ['DELETE', '/agents/other'],
    ['POST', '/tokens', { user: 'carol', ttlSeconds: 600 }],
    ['GET', '/tokens'],
    ['GET', '/resources'],
    ['GET', '/resources/orders-db'],
    ['GET', '/sessions?limit=1'],
    ['GET', '/sessions/last'],
    ['GET', '/sessions/last/streams'],
    ['GET', '/sessions/last/receipts'],
    ['PUT', '/recordings/last/hold', { reason: 'a case' }],
    ['GET', '/recordings/stats'],
    ['DELETE', '/recordings/last/hold'],
    ['POST', '/recordings/last/erase', { seq: 5 }],
    ['POST', '/log/key'],
    ['DELETE', '/users/carol'],
  ])('%s %s', async (method, path, body?: unknown) => {
    expect(await ask(root, method, path, body)).toMatchObject({ isDescribed: true });
  });

  it.each([
    ['GET', '/users', 403],
    ['GET', '/sessions/nothing', 404],
    ['GET', '/sessions?limit=nothing', 400],
    ['POST', '/log/key', 403],
  ])('refuses %s %s with %i', async (method, path, status) => {
    expect(await ask(alice, method, path)).toMatchObject({ status, isDescribed: false });
  });

  it('statements, line by line', async () => {
    const { body } = await alice.call('GET', '/sessions/last/statements');
    const schema = strictly({ $ref: '#/components/schemas/Statement' });
    const lines = String(body).trim().split('\n');
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) schema.parse(JSON.parse(line));
  });
});

/** As zod reads it back, with no property that is not named. */
function strictly(schema: Json): z.ZodType {
  const whole = { ...schema, $defs: document.components.schemas };
  const text = JSON.stringify(whole).replaceAll('#/components/schemas/', '#/$defs/');
  return z.fromJSONSchema(closed(JSON.parse(text)));
}

function closed(value: Json): Json {
  if (Array.isArray(value)) return value.map(closed);
  if (typeof value !== 'object' || value === null) return value;
  const inside = Object.fromEntries(Object.entries(value).map(([name, each]) => [name, closed(each)]));
  return inside['type'] === 'object' && inside['properties'] && !('additionalProperties' in inside)
    ? { ...inside, additionalProperties: false }
    : inside;
}
