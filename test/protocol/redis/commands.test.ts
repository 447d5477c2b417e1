import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { whyRefused } from '../../../src/protocol/redis/commands.ts';
import { redact } from '../../../src/protocol/redis/redaction.ts';
import { startRedis, type RedisServer } from '../../support/redis.ts';
import { RedisWireClient } from '../../support/redis-wire-client.ts';

const words = (line: string) => line.split(' ').map((word) => Buffer.from(word));
const isRefused = (line: string) => whyRefused(words(line)) !== undefined;

/** All that redis-server 7.0 has and hoop refuses. What ends at the gateway (AUTH, HELLO, QUIT) is not forwarded either. */
const refused = `
  acl|deluser acl|dryrun acl|genpass acl|getuser acl|list acl|load acl|log acl|save acl|setuser acl|users auth client|kill client|pause
  client|reply client|unpause cluster|addslots cluster|addslotsrange cluster|bumpepoch cluster|count-failure-reports
  cluster|countkeysinslot cluster|delslots cluster|delslotsrange cluster|failover cluster|flushslots cluster|forget cluster|getkeysinslot
  cluster|links cluster|meet cluster|nodes cluster|replicas cluster|replicate cluster|reset cluster|saveconfig cluster|set-config-epoch
  cluster|setslot cluster|shards cluster|slaves cluster|slots config|resetstat config|rewrite config|set debug failover function|restore
  hello migrate module module|help module|list module|load module|loadex module|unload monitor pfdebug pfselftest psync quit replconf
  replicaof reset restore-asking script|debug shutdown slaveof sync`;

describe('every command of a real server', () => {
  let server: RedisServer;
  let client: RedisWireClient;
  beforeAll(async () => {
    server = await startRedis();
    client = await RedisWireClient.login(server.port, ['AUTH', server.adminPassword]);
  });
  afterAll(async () => {
    client?.close();
    await server?.stop();
  });

  test('is either known to be safe or refused by name', async () => {
    client.send(['COMMAND', 'LIST'], ['ECHO', 'end of list']);
    const names = (await client.until(/end of list\r\n$/)).match(/^[a-z][a-z0-9|_-]*(?=\r$)/gm)!;
    expect(names.length).toBeGreaterThan(350);
    const containers = new Set(names.flatMap((name) => (name.includes('|') ? [name.split('|')[0]!] : [])));
    const alone = names.filter((name) => !containers.has(name) || name === 'module');
    const own = alone.filter((name) => isRefused(`${name.replace('|', ' ')} x`));
    expect(own.toSorted()).toEqual(refused.trim().split(/\s+/).toSorted());
  });
});

test.each([
  'JSON.GET k',
  'ft.search i q',
  'VADD k',
  'HGETEX h',
  'CLIENT MAINT_NOTIFICATIONS ON',
  'config get save databases',
  'get',
])('%s may pass', (line) => expect(isRefused(line)).toBe(false));

test.each([
  'config get *',
  'config get require?ass',
  'CONFIG GET save requirepass',
  'config get masterauth',
  'client',
  'config',
  'x'.repeat(100),
  'sentinel set m',
  ' ',
  'json',
])('%s may not', (line) => expect(isRefused(line)).toBe(true));

test.each([
  ['AUTH X', 'AUTH _'],
  ['AUTH user X', 'AUTH user _'],
  ['AUTH user X X', 'AUTH user _ _'],
  ['AUTH', 'AUTH'],
  ['HELLO 3 AUTH user X SETNAME me', 'HELLO 3 AUTH user _ SETNAME me'],
  ['HELLO 3 AUTH X', 'HELLO 3 _ _'],
  ['HELLO 3 SETNAME me what X', 'HELLO 3 SETNAME me _ _'],
  ['HELLO 3 SETNAME', 'HELLO 3 _'],
  ['CONFIG SET requirepass X save 1', 'CONFIG SET requirepass _ save 1'],
  ['CONFIG SET masterauth', 'CONFIG SET masterauth'],
  ['CONFIG GET requirepass', 'CONFIG GET requirepass'],
  ['ACL SETUSER bob on >X', 'ACL SETUSER bob _ _'],
  ['ACL CAT read write x', 'ACL CAT read write x'],
  ['ACL HELP a b c', 'ACL HELP a b c'],
  ['MIGRATE h 1 k 0 10 AUTH X', 'MIGRATE h 1 k 0 10 AUTH _'],
  ['MIGRATE h 1 k 0 10 auth2 user X KEYS a', 'MIGRATE h 1 k 0 10 auth2 user _ KEYS a'],
  ['SENTINEL SET m auth-pass X', 'SENTINEL SET m _ _'],
  ['MODULE LOADEX path CONFIG X', 'MODULE LOADEX path _ _'],
  ['SET AUTH X', 'SET AUTH X'],
])('%s: the record has %s', (line, shown) => {
  const { words: kept, redactions } = redact(words(line), (size) => Buffer.alloc(size, 1));
  const text = kept.map(String).join(' ');
  expect(text.replaceAll(/\[withheld sha256:[0-9a-f]{64}\]/g, '_')).toBe(shown);
  expect(redactions).toHaveLength(shown.split('_').length - 1);
});
