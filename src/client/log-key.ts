import { parseVerifierKey, type VerifierKey } from '../recording/note.ts';
import type { GatewayFetch } from './gateway-fetch.ts';
import { gatewaySettings, readSettings, updateSettings } from './settings.ts';

/**
 * Remembers the key of the gateway's log at the first sign-in, and never replaces it by itself: what was recorded is verified against
 * this one from then on. A line for the person where the gateway shows another key now.
 */
export async function pinLogKey(gateway: string, send: GatewayFetch): Promise<string | undefined> {
  const shown = await shownKey(gateway, send);
  const { logKey } = gatewaySettings(await readSettings(), gateway);
  if (shown === undefined || shown === logKey) return undefined;
  if (logKey !== undefined)
    return `The log of ${gateway} shows another key (${shown}) than at the first sign-in (${logKey}). The first one stays: ask who runs the gateway.`;
  await updateSettings((settings) => {
    gatewaySettings(settings, gateway).logKey = shown;
  });
  return undefined;
}

/** Undefined where there is none: a gateway of an earlier version. */
async function shownKey(gateway: string, send: GatewayFetch): Promise<string | undefined> {
  const answer = await send(`${gateway}/log/key`);
  const text = answer.ok ? (await answer.text()).trim() : '';
  return parseVerifierKey(text) ? text : undefined;
}

/** The keys of all gateways that were signed in at from here; each is good for its own log. */
export async function pinnedKeys(): Promise<VerifierKey[]> {
  const { gateways } = await readSettings();
  return Object.values(gateways)
    .map(({ logKey }) => parseVerifierKey(logKey ?? ''))
    .filter((key) => key !== undefined);
}
