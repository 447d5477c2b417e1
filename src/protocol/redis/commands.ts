import { latin1 } from './messages.ts';

/**
 * Which commands may pass. An allow-list: what stands here answers with one reply (or is known to `questions.ts`), acts on this one
 * connection's behalf, and says in its arguments what it does. https://redis.io/docs/latest/commands/
 */
const words = (text: string): string[] => text.trim().split(/\s+/);

const plain: ReadonlySet<string> = new Set(
  words(`
    append asking bgrewriteaof bgsave bitcount bitfield bitfield_ro bitop bitpos blmove blmpop blpop brpop brpoplpush bzmpop bzpopmax
    bzpopmin command copy dbsize decr decrby del delex digest discard dump echo eval eval_ro evalsha evalsha_ro exec exists expire
    expireat expiretime fcall fcall_ro flushall flushdb geoadd geodist geohash geopos georadius georadius_ro georadiusbymember
    georadiusbymember_ro geosearch geosearchstore get getbit getdel getex getrange getset hdel hexists hexpire hexpireat hexpiretime
    hget hgetall hgetdel hgetex hincrby hincrbyfloat hkeys hlen hmget hmset hpersist hpexpire hpexpireat hpexpiretime hpttl hrandfield
    hscan hset hsetex hsetnx hstrlen httl hvals incr incrby incrbyfloat info keys lastsave latency lcs lindex linsert llen lmove lmpop
    lolwut lpop lpos lpush lpushx lrange lrem lset ltrim memory mget move mset msetex msetnx multi object persist pexpire pexpireat
    pexpiretime pfadd pfcount pfmerge ping psetex psubscribe pttl publish pubsub punsubscribe randomkey readonly readwrite rename
    renamenx restore role rpop rpoplpush rpush rpushx sadd save scan scard sdiff sdiffstore select set setbit setex setnx setrange sinter
    sintercard sinterstore sismember slowlog smembers smismember smove sort sort_ro spop spublish srandmember srem sscan ssubscribe
    stralgo strlen subscribe substr sunion sunionstore sunsubscribe swapdb time touch ttl type unlink unsubscribe unwatch vadd vcard vdim vemb
    vgetattr vinfo vismember vlinks vrandmember vrem vsetattr vsim wait waitaof watch xack xackdel xadd xautoclaim xclaim xdel xdelex
    xgroup xinfo xlen xpending xrange xread xreadgroup xrevrange xsetid xtrim zadd zcard zcount zdiff zdiffstore zincrby zinter
    zintercard zinterstore zlexcount zmpop zmscore zpopmax zpopmin zrandmember zrange zrangebylex zrangebyscore zrangestore zrank zrem
    zremrangebylex zremrangebyrank zremrangebyscore zrevrange zrevrangebylex zrevrangebyscore zrevrank zscan zscore zunion zunionstore`),
);

/** Commands of Redis's own modules (JSON, search, time series, probabilistic). */
const families = words('json. ft. ts. bf. cf. cms. topk. tdigest.');

/** Where the second word decides. */
const containers: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  Object.entries({
    acl: 'cat help whoami',
    client:
      'caching getname getredir help id info list maint_notifications no-evict no-touch setinfo setname tracking trackinginfo unblock',
    cluster: 'help info keyslot myid',
    config: 'get help',
    function: 'delete dump flush help kill list load stats',
    script: 'exists flush help kill load',
  }).map(([name, allowed]) => [name, new Set(words(allowed))]),
);

/** Why, for those that people are most likely to try. */
const because: ReadonlyMap<string, string> = new Map([
  ['monitor', 'it would show what other clients do, and its stream answers nothing'],
  ['sync', 'replication copies the whole database past the record'],
  ['psync', 'replication copies the whole database past the record'],
  ['replconf', 'it belongs to replication'],
  ['replicaof', 'it would hand the database to another server'],
  ['slaveof', 'it would hand the database to another server'],
  ['failover', 'it would hand the database to another server'],
  ['migrate', 'it sends keys, and a password, to another server'],
  ['debug', 'it can crash the server and change the protocol'],
  ['module', 'it loads code into the server'],
  ['shutdown', 'it stops the server'],
  ['acl', 'it changes who may do what'],
  ['config', 'it changes the server, not its contents'],
  ['cluster', 'it leads clients to servers that are not recorded'],
  ['reset', 'it would end the login of the agent'],
  ['client reply', 'without replies nobody can tell what came of a command'],
  ['client kill', 'it ends the connections of others'],
  ['client pause', 'it holds up everybody'],
  ['client unpause', 'it belongs to CLIENT PAUSE'],
  ['script debug', 'it changes the protocol of what follows'],
  ['function restore', 'its binary form cannot be read in the record'],
]);

export const nameOf = (command: readonly Uint8Array[]): string => word(command[0]);
/** The second word, lower-case; empty if there is none. */
export const subcommandOf = (command: readonly Uint8Array[]): string => word(command[1]);

/** Does the second word belong to the command's name? */
export const isContainer = (command: readonly Uint8Array[]): boolean => containers.has(nameOf(command));

/** Commands and subcommands are short; nothing longer is one. */
const word = (bytes: Uint8Array | undefined): string => latin1((bytes ?? none).subarray(0, 64)).toLowerCase();
const none = new Uint8Array(0);

/** Why a command may not pass, as the end of a sentence; undefined if it may. */
export function whyRefused(command: readonly Uint8Array[]): string | undefined {
  const name = nameOf(command);
  if (plain.has(name) || families.some((prefix) => name.startsWith(prefix))) return undefined;
  const allowed = containers.get(name);
  const sub = subcommandOf(command);
  if (allowed?.has(sub)) return name === 'config' && sub === 'get' ? whyNotShown(command) : undefined;
  return because.get(`${name} ${sub}`) ?? because.get(name) ?? 'hoop does not know what it does';
}

/** Settings that hold secrets, and patterns, which could match them. */
function whyNotShown(command: readonly Uint8Array[]): string | undefined {
  const isOpen = command.slice(2).every((name) => !/[^a-z0-9-]|pass|auth|user/i.test(latin1(name)));
  return isOpen ? undefined : 'patterns and names of secrets could show passwords; name the settings one by one';
}
