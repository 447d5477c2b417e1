import type { StatementClass } from '../protocol.ts';

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/** Commands with the flag `readonly` in `COMMAND INFO`, and those that concern the connection alone. */
const reads = words(`
  auth asking bitcount bitfield_ro bitpos client cluster command dbsize digest discard dump echo eval_ro evalsha_ro exec exists expiretime
  fcall_ro geodist geohash geopos georadius_ro georadiusbymember_ro geosearch get getbit getrange hello hexists hexpiretime hget hgetall
  hkeys hlen hmget hpexpiretime hpttl hrandfield hscan hstrlen httl hvals info keys lastsave latency lcs lindex llen lolwut lpos lrange
  memory mget multi object pexpiretime pfcount ping psubscribe pttl pubsub punsubscribe quit randomkey readonly readwrite reset role scan
  scard sdiff select sinter sintercard sismember slowlog smembers smismember sort_ro srandmember sscan ssubscribe strlen subscribe substr
  sunion sunsubscribe time touch ttl type unsubscribe unwatch vcard vdim vemb vgetattr vinfo vismember vlinks vrandmember vsim wait
  waitaof watch xinfo xlen xpending xrange xread xrevrange zcard zcount zdiff zinter zintercard zlexcount zmscore zrandmember zrange
  zrangebylex zrangebyscore zrank zrevrange zrevrangebylex zrevrangebyscore zrevrank zscan zscore zunion`);
/** They destroy more than the keys they name, or run code. */
const dangerous = words('flushall flushdb swapdb eval evalsha fcall function script config acl debug shutdown');

/** What a command does by its name: what is not known to read is a write. For search, never for the record. */
export function classify(text: string): ReadonlySet<StatementClass> {
  const name = (/^"?([\w.-]+)/.exec(text)?.[1] ?? '').toLowerCase();
  if (reads.has(name)) return new Set();
  return new Set(dangerous.has(name) || name === '' ? ['write', 'dangerous'] : ['write']);
}
