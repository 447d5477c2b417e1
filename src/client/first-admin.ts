import { UserError } from '../shared/errors.ts';
import { openGatewayFetch, ownAddress } from './gateway-fetch.ts';
import { notAGateway } from './gateway-refusal.ts';
import { caFileOf, chooseGateway, normaliseGateway } from './gateway-url.ts';

export interface FirstAdmin {
  gateway?: string | undefined;
  caFile?: string | undefined;
  code: string;
  name: string;
  password: string;
}

/** Makes the first administrator by the gateway's own set-up page: the same form, the same checks, without a browser. */
export async function createFirstAdmin(admin: FirstAdmin): Promise<{ gateway: string }> {
  const { code, name, password } = admin;
  const send = openGatewayFetch(caFileOf(admin.caFile));
  const gateway = normaliseGateway(await ownAddress(await chooseGateway(admin.gateway), send));
  const page = await send(`${gateway}/setup?code=${encodeURIComponent(code)}`);
  const shown = await page.text();
  const csrf = /name="csrf" value="([^"]*)"/.exec(shown)?.[1];
  if (page.status !== 200 || csrf === undefined) throw refused(`${gateway}/setup`, page.status, shown);
  const cookies = page.headers.getSetCookie().map((line) => line.split(';')[0]);
  const answer = await send(`${gateway}/setup`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', cookie: cookies.join('; '), origin: gateway },
    body: new URLSearchParams({ csrf, code, user: name, password, again: password }).toString(),
  });
  const text = await answer.text();
  if (answer.status !== 200) throw refused(`${gateway}/setup`, answer.status, text);
  return { gateway };
}

function refused(url: string, status: number, page: string): UserError {
  const why = /class="note bad"[^>]*>([^<]*)</.exec(page)?.[1]?.trim();
  if (status === 410)
    return new UserError(
      'HOOP_DENIED',
      'the set-up code is wrong, used or expired, or there is an administrator already',
      {
        next: 'restart the gateway for a new code, or ask the administrator for an account',
      },
    );
  if (status === 429)
    return new UserError('HOOP_LIMIT', why ?? 'too many wrong set-up codes', { next: 'try again in some minutes' });
  if (status === 400 && why !== undefined)
    return new UserError('HOOP_USAGE', why.replace(/\.$/, ''), { next: 'correct it and run the command again' });
  return notAGateway(url, status);
}
