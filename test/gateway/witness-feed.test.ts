import { expect, it } from 'vitest';
import { WitnessFeed } from '../../src/gateway/witness-feed.ts';
import { limits } from '../../src/shared/limits.ts';
import { silentLog } from '../../src/shared/log.ts';
import type { Connection } from '../../src/tunnel/websocket.ts';
import { muxPair } from '../support/mux-pair.ts';
import { until } from '../support/until.ts';

/** A feed over one of two multiplexers; `reads`: the other side does. */
function feedTo(reads: boolean) {
  const [gateway, agent] = muxPair();
  const closes: string[] = [];
  const connection: Pick<Connection, 'open' | 'close' | 'closed'> = {
    open: () => gateway.mux.open(),
    close: (reason) => void closes.push(reason),
    closed: new Promise(() => undefined),
  };
  const feed = new WitnessFeed(connection as Connection, silentLog);
  let got = 0;
  const read = async () => {
    await until(() => agent.streams.length === 1);
    for (let bytes = await agent.streams[0]!.read(); bytes; bytes = await agent.streams[0]!.read()) got += bytes.length;
  };
  if (reads) read().catch(() => undefined);
  return { feed, closes, got: () => got };
}

const mib = 1024 * 1024;
const rounds = Math.ceil((2 * limits.witnessUnreadBytesMax) / mib);
const checkpoint = { kind: 'checkpoint' as const, note: 'x'.repeat(mib - 1024), before: 0, proof: [] as string[] };

it('an agent that does not read what it is shown loses its link, so that it is not kept here without a bound', async () => {
  const { feed, closes } = feedTo(false);
  const halfway = rounds / 2 - 2;
  for (let round = 0; round < rounds; round++) {
    feed.offer({ ...checkpoint, rollovers: [] }).catch(() => undefined);
    if (round === halfway) expect(closes).toEqual([]);
  }
  expect(closes[0]).toBe('the agent’s witness does not read');
});

it('one that reads keeps it, however much it is shown', async () => {
  const { feed, closes, got } = feedTo(true);
  for (let round = 0; round < rounds; round++) await feed.offer({ ...checkpoint, rollovers: [] });
  await until(() => got() > rounds * (mib - 1024));
  expect(closes).toEqual([]);
});
