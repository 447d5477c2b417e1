import { UserError } from '../shared/errors.ts';

/** The part of `fetch` that is used, so that undici's fits. */
type Fetch = (
  url: string,
  init?: { method?: string; headers?: Record<string, string>; body?: string; redirect?: 'manual' },
) => Promise<{
  status: number;
  headers: { get(name: string): string | null; getSetCookie(): string[] };
  text(): Promise<string>;
}>;

export interface ApproveDeviceOptions {
  verificationUriComplete: string;
  user: string;
  password: string;
  fetch: Fetch;
  decision?: 'approve' | 'deny';
}

/** Signs in and approves a device code by the same page and form that a person uses in a browser. */
export async function approveDevice(options: ApproveDeviceOptions): Promise<void> {
  const { verificationUriComplete, user, password, fetch, decision = 'approve' } = options;
  const page = await fetch(verificationUriComplete);
  const shown = await page.text();
  if (page.status !== 200) throw refused(shown);
  const cookie = page.headers
    .getSetCookie()
    .map((line) => line.split(';')[0])
    .join('; ');
  const form = new URLSearchParams({
    csrf: field(shown, 'csrf'),
    user_code: field(shown, 'user_code'),
    user,
    password,
    decision,
  });
  const { origin, pathname } = new URL(verificationUriComplete);
  const answer = await fetch(origin + pathname, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', cookie, origin },
    body: form.toString(),
    redirect: 'manual',
  });
  const text = await answer.text();
  if (answer.status !== 200) throw refused(text);
}

function field(page: string, name: string): string {
  const value = new RegExp(`name="${name}" value="([^"]*)"`).exec(page)?.[1];
  if (value === undefined) throw refused(page);
  return value;
}

/** The page says why, in its note. */
function refused(page: string): UserError {
  const why = /class="note bad"[^>]*>([^<]*)</.exec(page)?.[1] ?? 'the page is not the approval page';
  return new UserError('HOOP_DENIED', `the sign-in was not approved: ${why}`, { next: 'open the link in a browser' });
}
