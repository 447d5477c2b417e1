import { postgres } from './postgres/index.ts';
import type { Protocol } from './protocol.ts';
import { redis } from './redis/index.ts';

/** Every protocol of the product: one line each. */
const protocols: Protocol[] = [postgres, redis];

export const protocolNamed = (name: string): Protocol | undefined =>
  protocols.find((protocol) => protocol.name === name);

export const protocolNames = (): string[] => protocols.map((protocol) => protocol.name);

/** What decoders need besides code; a gateway awaits it before it takes sessions. */
export async function loadProtocols(): Promise<void> {
  for (const protocol of protocols) await protocol.load?.();
}
