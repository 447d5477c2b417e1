import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { whyRefused } from '../../../src/protocol/redis/commands.ts';
import { startRedis, type RedisServer } from '../../support/redis.ts';
import { RedisWireClient } from '../../support/redis-wire-client.ts';

const isRefused = (line: string) => whyRefused(line.split(' ').map((word) => Buffer.from(word))) !== undefined;

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
