import { formatVerifierKey, parseVerifierKey, type VerifierKey } from '../recording/note.ts';
import { followRollovers, rolloversMax, type LogKey } from '../recording/rollover.ts';
import type { GatewayFetch } from './gateway-fetch.ts';
import { gatewaySettings, readSettings, updateSettings } from './settings.ts';

/**
 * Remembers the key of the gateway's log at the first sign-in, and never replaces it by itself: what was recorded is verified against
 * this one from then on, or against one that it has said follows. A line for the person where the gateway shows another key now.
 */
export async function pinLogKey(gateway: string, send: GatewayFetch): Promise<string | undefined> {
  const shown = await shownKey(gateway, send);
  const known = await pinnedAt(gateway);
  if (shown === undefined) return undefined;
  if (!known) {
    await updateSettings((settings) => {
      gatewaySettings(settings, gateway).logKey = shown;
    });
    return undefined;
  }
  if (lastOf(known) === shown) return undefined;
  const now = await followedNow(gateway, send, known);
  if (lastOf(now) === shown) return `The log of ${gateway} has a new key (${shown}); the one before has signed that.`;
  return `The log of ${gateway} shows another key (${shown}) than at the first sign-in (${formatVerifierKey(known.key)}). The first one stays: ask who runs the gateway.`;
}

/** The keys of one gateway's log that can be trusted now, after a look at whether they were followed; undefined where none was pinned. */
export async function trustedLogKeys(gateway: string, send: GatewayFetch): Promise<readonly LogKey[] | undefined> {
  const known = await pinnedAt(gateway);
  if (!known) return undefined;
  const isShown = lastOf(known) === (await shownKey(gateway, send));
  const { key, rollovers } = isShown ? known : await followedNow(gateway, send, known);
  return followRollovers(key, rollovers).keys;
}

/** Of all gateways that were signed in at from here: each key is good for its own log. */
export async function pinnedKeys(): Promise<VerifierKey[]> {
  const { gateways } = await readSettings();
  return Object.values(gateways)
    .map(({ logKey }) => parseVerifierKey(logKey ?? ''))
    .filter((key) => key !== undefined);
}

/** Of one gateway's log, in their order; none where none was pinned. */
export async function pinnedLogKeys(gateway: string): Promise<readonly LogKey[]> {
  const known = await pinnedAt(gateway);
  return known ? followRollovers(known.key, known.rollovers).keys : [];
}

/** By which they were followed by others. */
export async function pinnedRollovers(): Promise<string[]> {
  const { gateways } = await readSettings();
  return Object.values(gateways).flatMap(({ logRollovers }) => logRollovers ?? []);
}

interface Pinned {
  key: VerifierKey;
  /** Proofs that it, and those behind it, were followed. */
  rollovers: readonly string[];
}

async function pinnedAt(gateway: string): Promise<Pinned | undefined> {
  const { logKey, logRollovers } = gatewaySettings(await readSettings(), gateway);
  const key = parseVerifierKey(logKey ?? '');
  return key && { key, rollovers: logRollovers ?? [] };
}

const lastOf = ({ key, rollovers }: Pinned): string =>
  formatVerifierKey(followRollovers(key, rollovers).keys.at(-1)!.key);

/** With what the gateway shows of roll-overs; only those that lead on from the pinned key are remembered. */
async function followedNow(gateway: string, send: GatewayFetch, { key, rollovers: known }: Pinned): Promise<Pinned> {
  const rollovers = [...known];
  for await (const proof of shownRollovers(gateway, send)) {
    const before = followRollovers(key, rollovers).keys.length;
    if (followRollovers(key, [...rollovers, proof]).keys.length > before) rollovers.push(proof);
  }
  if (rollovers.length > known.length)
    await updateSettings((settings) => {
      gatewaySettings(settings, gateway).logRollovers = rollovers;
    });
  return { key, rollovers };
}

async function* shownRollovers(gateway: string, send: GatewayFetch): AsyncGenerator<string> {
  for (let number = 1; number <= rolloversMax; number++) {
    const answer = await send(`${gateway}/log/keys/${number}`);
    const text = await answer.text();
    if (!answer.ok) return;
    yield text;
  }
}

/** Undefined where there is none: a gateway of an earlier version. */
async function shownKey(gateway: string, send: GatewayFetch): Promise<string | undefined> {
  const answer = await send(`${gateway}/log/key`);
  const text = answer.ok ? (await answer.text()).trim() : '';
  return parseVerifierKey(text) ? text : undefined;
}
