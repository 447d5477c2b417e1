import { UserError } from '../shared/errors.ts';
import { openGatewayFetch } from './gateway-fetch.ts';
import { caFileOf, chooseGateway } from './gateway-url.ts';
import { signOut } from './sign-in.ts';

export interface LogoutOptions {
  gateway?: string | undefined;
  caFile?: string | undefined;
}

/** `hoop logout`. What is on this machine is gone in any case; a gateway that could not be told is an error all the same. */
export async function logout(options: LogoutOptions): Promise<{ gateway: string; signedIn: boolean }> {
  const send = openGatewayFetch(caFileOf(options.caFile));
  const { gateway, signedIn, notRevoked } = await signOut(await chooseGateway(options.gateway), send);
  if (!notRevoked) return { gateway, signedIn };
  throw new UserError(
    notRevoked.code,
    `the tokens are removed from this machine, but the sign-in was not revoked: ${notRevoked.message}`,
    { next: 'it ends by itself within 14 days; an administrator can disable the user at once', cause: notRevoked },
  );
}
