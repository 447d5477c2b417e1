import type { Ask } from '../ask.ts';
import { html, type Markup } from './html.ts';
import { atFault, note } from './layout.ts';
import { hidden, spelling, type View } from './views.ts';

export interface ApprovalFacts {
  ask: Ask;
  csrf: string;
  /** The address that this page was asked from. */
  browserAddress: string;
  localUsers: boolean;
  /** The company's provider, where there is one. */
  upstream?: string | undefined;
  fault?: string | undefined;
  /** Typed before, with a wrong password. */
  user?: string | undefined;
  /** Came back from the company's provider as this user; the secret stands for that. */
  proved?: { user: string; email: string; secret: string } | undefined;
}

/** RFC 8628 section 5.4: the person must be able to see that somebody else asks; so nothing takes the focus past that. */
export function approvalView(facts: ApprovalFacts): View {
  const { ask, fault, proved } = facts;
  return {
    title: 'Approve a sign-in',
    body: html`<h1>Is this you?</h1>
      <p>A command line asks to act as you: to open sessions on your resources and to read your recordings.</p>
      ${note('bad', fault)} ${otherAddress(facts)} ${whoAsks(ask)}
      <p>
        If you did not start it yourself just now, choose <strong>Deny</strong>: somebody may be trying to sign in as
        you.
      </p>
      ${proved ? provedForm(facts, proved) : signInForms(facts)}`,
  };
}

/** RFC 10027: the commonest sign of a code that somebody else sent. */
function otherAddress({ ask, browserAddress }: ApprovalFacts): Markup | undefined {
  const { address } = ask.facts;
  if (ask.kind === 'browser' || comparable(address) === comparable(browserAddress)) return undefined;
  return html`<p class="note bad" id="elsewhere" role="alert">
    <strong>The command line is somewhere else.</strong> It asks from ${address}, and this browser is at
    ${browserAddress}. Approve only if you know why.
  </p>`;
}

/** An IPv4 address in either spelling; all loopback addresses are this machine. */
const comparable = (address: string): string => {
  const plain = address.replace(/^::ffff:/i, '');
  return plain === '::1' || plain.startsWith('127.') ? 'loopback' : plain;
};

const denyButton = html`<button class="quiet" type="submit" name="decision" value="deny" formnovalidate>Deny</button>`;

function provedForm({ csrf }: ApprovalFacts, { user, email, secret }: { user: string; email: string; secret: string }) {
  return html`<form method="post" action="/oidc/upstream">
    ${hidden('csrf', csrf)}${hidden('proof', secret)}
    <p>You came back as <strong>${email}</strong>, here <strong>${user}</strong>.</p>
    <div class="buttons">
      <button type="submit" name="decision" value="approve">Approve</button>
      ${denyButton}
    </div>
  </form>`;
}

function signInForms(facts: ApprovalFacts): Markup {
  const { ask, csrf, upstream, localUsers } = facts;
  const carried = html`${hidden('csrf', csrf)}${carry(ask)}`;
  const action = ask.kind === 'device' ? '/oidc/device' : '/oidc/auth';
  const elsewhere =
    upstream === undefined
      ? undefined
      : html`<form method="post" action="${action}">
          ${carried}
          <div class="buttons">
            <button type="submit" name="decision" value="upstream">Continue with ${upstream}</button>
            ${localUsers ? undefined : denyButton}
          </div>
        </form>`;
  if (!localUsers) return elsewhere ?? html``;
  return html`${elsewhere} ${elsewhere && html`<p class="or">or with a password of this gateway</p>`}
    <form method="post" action="${action}">${carried} ${passwordFields(facts)}</form>`;
}

const passwordFields = ({ fault, user }: ApprovalFacts): Markup =>
  html`<label for="user">User</label>
    <input id="user" name="user" value="${user ?? ''}" required ${spelling('username')} maxlength="64" />
    <label for="password">Password</label>
    <input
      id="password"
      name="password"
      type="password"
      required
      ${atFault(fault !== undefined)}
      autocomplete="current-password"
      maxlength="200"
    />
    <div class="buttons">
      <button type="submit" name="decision" value="approve">Approve</button>
      ${denyButton}
    </div>`;

/** What the next request needs to know of the ask; it is checked anew there. */
function carry(ask: Ask): Markup {
  if (ask.kind === 'device') return hidden('user_code', ask.userCode);
  const { redirectUri, state, codeChallenge, facts } = ask;
  return html`${hidden('redirect_uri', redirectUri)}${hidden('state', state)}${hidden('code_challenge', codeChallenge)}
  ${hidden('client_host', facts.host)}${hidden('client_name', facts.client)}`;
}

function whoAsks({ facts: { host, client, address, at }, ...ask }: Ask): Markup {
  const seconds = Math.max(0, Math.round((Date.now() - at) / 1000));
  const ago = seconds < 60 ? `${seconds} s ago` : `${Math.floor(seconds / 60)} min ago`;
  const row = (name: string, value: Markup | string, remark: string) =>
    html`<div>
      <dt>${name}</dt>
      <dd>${value} <small>${remark}</small></dd>
    </div>`;
  const code =
    ask.kind === 'device'
      ? row('Code', html`<span class="codeword">${spelled(ask.userCode)}</span>`, 'as in your terminal?')
      : undefined;
  return html`<dl>
    ${code} ${row('Machine', host || 'not named', 'as it says')} ${row('Program', client || 'not named', 'as it says')}
    ${row('Address', address, 'as seen here')} ${row('Asked', ago, `${new Date(at).toISOString().slice(11, 19)} UTC`)}
  </dl>`;
}

const spelled = (code: string): string => `${code.slice(0, 4)}-${code.slice(4)}`;

export const approvedView = (user: string): View => ({
  title: 'Approved',
  body: html`<h1>You are signed in</h1>
    ${note('good', `The command line now acts as ${user}.`)}
    <p>You can close this page and go back to your terminal. <code>hoop logout</code> ends the sign-in.</p>`,
});

export const deniedView = (): View => ({
  title: 'Denied',
  body: html`<h1>Denied</h1>
    ${note('good', 'The command line was not signed in.')}
    <p>
      If you did not start it yourself, tell your administrator from which address it came. You can close this page.
    </p>`,
});

/** On to another site, by itself; or by a click where the browser does not. */
export const onwardView = (title: string, to: string, text: string): View => ({
  title,
  goOn: to,
  body: html`<h1>${title}</h1>
    <p>${text}</p>
    <div class="buttons"><a class="button" href="${to}">Continue</a></div>`,
});
