import { UserError } from '../shared/errors.ts';
import { readSettings } from './settings.ts';

/** `http(s)://host[:port]`. Plain http only where nobody can listen in between. */
export function normaliseGateway(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || (url.protocol !== 'https:' && url.protocol !== 'http:') || url.username !== '' || url.password !== '')
    throw new UserError('HOOP_USAGE', `${JSON.stringify(withoutUser(text))} is not a gateway’s address`, {
      next: 'give one such as https://hoop.example.com or http://127.0.0.1:8009',
    });
  if (url.protocol === 'http:' && !isLoopback(url.hostname))
    throw new UserError('HOOP_USAGE', `${url.origin} is not encrypted, and not on this machine`, {
      next: 'use the gateway’s https address',
    });
  return url.origin;
}

/** A password in an address must not come back in a message. */
const withoutUser = (address: string): string => address.slice(0, 200).replace(/^([a-z]+:\/\/)?.*@/i, '$1…@');

export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);

/** Flag, else HOOP_GATEWAY, else the one of the last sign-in; always by its own address, where that is known. */
export async function chooseGateway(flag: string | undefined): Promise<string> {
  const { defaultGateway, gateways } = await readSettings();
  const wanted = flag || process.env['HOOP_GATEWAY'] || defaultGateway;
  if (wanted === undefined)
    throw new UserError('HOOP_SIGN_IN', 'no gateway is known on this machine yet', {
      next: 'run: hoop login --gateway URL',
    });
  const gateway = normaliseGateway(wanted);
  if (Object.hasOwn(gateways, gateway)) return gateway;
  const alias = Object.entries(gateways).find(([, { aliases }]) => aliases.includes(gateway));
  return alias?.[0] ?? gateway;
}

/** Flag, else HOOP_CA_FILE. */
export const caFileOf = (flag: string | undefined): string | undefined =>
  flag || process.env['HOOP_CA_FILE'] || undefined;
