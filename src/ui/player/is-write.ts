import type { Statement } from '../../shared/api.ts';

/** What reads, or only frames what others do, by the first word of its text. */
const reading: ReadonlySet<string> = new Set([
  'select',
  'values',
  'table',
  'show',
  'explain',
  'begin',
  'start',
  'commit',
  'end',
  'rollback',
  'abort',
  'savepoint',
  'release',
  'set',
  'reset',
  'discard',
  'prepare',
  'deallocate',
  'declare',
  'fetch',
  'move',
  'close',
  'listen',
  'unlisten',
  'checkpoint',
]);

/** Words of the body that change something where the first word does not say so (WITH … INSERT, EXPLAIN ANALYZE DELETE, SELECT … INTO). */
const changing = /\b(insert|update|delete|merge|into|truncate|nextval|setval)\b/i;
const mayHide: ReadonlySet<string> = new Set(['with', 'explain', 'select', 'prepare']);

const redisReading: ReadonlySet<string> = new Set(
  `get mget strlen getrange substr exists ttl pttl type keys scan randomkey dbsize hget hmget hgetall hkeys hvals hlen hexists hscan
  hstrlen llen lrange lindex lpos smembers sismember smismember scard srandmember sscan sinter sunion sdiff zrange zrangebyscore zrevrange
  zrank zrevrank zscore zmscore zcard zcount zscan getbit bitcount bitpos xlen xrange xrevrange xread xinfo pfcount geopos geodist
  geosearch object memory info ping echo time command client config hello auth select multi exec discard watch unwatch subscribe
  unsubscribe psubscribe punsubscribe ssubscribe sunsubscribe pubsub quit reset wait dump touch eval_ro evalsha_ro fcall_ro slowlog latency`.split(
    /\s+/,
  ),
);

/**
 * May it have changed something at the resource? For a reader's filter, so in doubt yes; a function that SELECT calls is not looked into. What
 * was never forwarded changed nothing.
 */
export function isWrite(statement: Statement, protocol: string): boolean {
  const { text, verb, outcome, dataBytes } = statement;
  if (verb === 'cancel' || verb === 'refusal' || outcome?.status === 'refused' || outcome?.status === 'skipped')
    return false;
  if (text === null) return true;
  const words = text.replace(/^(?:\s+|--[^\n]*\n|\/\*[\s\S]*?\*\/)+/, '');
  const first = /^"?([a-z_]+)/i.exec(words)?.[1]?.toLowerCase() ?? '';
  if (protocol === 'redis') return !redisReading.has(first);
  if (first === 'copy') return dataBytes !== undefined || /\bfrom\b/i.test(words);
  if (!reading.has(first) && first !== 'with') return true;
  return words.includes(';') ? restWrites(words) : mayHide.has(first) && changing.test(withoutLiterals(words));
}

/** Several statements: any of them. */
const restWrites = (text: string): boolean =>
  withoutLiterals(text)
    .split(';')
    .some((one) => {
      const first = /^\s*([a-z_]+)/i.exec(one)?.[1]?.toLowerCase() ?? '';
      return first !== '' && ((!reading.has(first) && first !== 'with') || (mayHide.has(first) && changing.test(one)));
    });

const withoutLiterals = (text: string): string => text.replace(/'(?:[^']|'')*'|"[^"]*"|--[^\n]*/g, "''");
