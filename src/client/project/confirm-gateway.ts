import { UserError } from '../../shared/errors.ts';
import { gatewaySettings, readSettings, updateSettings } from '../settings.ts';
import type { FoundProject } from './project-file.ts';

/** Asks a person at a terminal; undefined where there is none. */
export type Ask = ((question: string) => Promise<string>) | undefined;

/**
 * A repository may name any gateway: whoever wrote it could have themselves sent what this user types, or HOOP_TOKEN. So one where this
 * user never signed in is asked about first, and remembered. Nothing has been sent to it before. Throws UserError.
 */
export async function confirmGateway({ path, gateway, resources }: FoundProject, ask: Ask): Promise<void> {
  const { gateways } = await readSettings();
  const isKnown =
    Object.hasOwn(gateways, gateway) || Object.values(gateways).some(({ aliases }) => aliases.includes(gateway));
  if (isKnown) return;
  const answer = await ask?.(
    `${path} names the gateway ${gateway}, where you have never signed in. It would see what you do with ${resources.join(', ')}. Use it? [y/N] `,
  );
  if (!/^y(es)?$/i.test(answer?.trim() ?? '')) throw unconfirmed(path, gateway);
  await updateSettings((settings) => {
    gatewaySettings(settings, gateway);
  });
}

const unconfirmed = (path: string, gateway: string): UserError =>
  new UserError(
    'HOOP_SIGN_IN',
    `${path} names the gateway ${gateway}, where you have never signed in; nothing was sent`,
    {
      next: `if you trust it, run: hoop login --gateway ${gateway}`,
    },
  );
