import { html, type Markup } from './html.ts';
import { atFault, note } from './layout.ts';

export interface View {
  title: string;
  body: Markup;
  /** Where the browser goes on to by itself. */
  goOn?: string;
}

/** Names and codes are not prose. */
export const spelling = (autocomplete: 'username' | 'off'): Markup =>
  html`autocomplete="${autocomplete}" autocapitalize="none" spellcheck="false"`;

export const hidden = (name: string, value: string): Markup =>
  html`<input type="hidden" name="${name}" value="${value}" />`;

export function enterCodeView(fault?: string): View {
  return {
    title: 'Sign in',
    body: html`<h1>Connect a command line</h1>
      <p>Type the code that <code>hoop login</code> shows.</p>
      ${note('bad', fault)}
      <form method="get" action="/oidc/device">
        <label for="user_code">Code</label>
        <input
          class="code"
          id="user_code"
          name="user_code"
          placeholder="XXXX-XXXX"
          maxlength="20"
          required
          ${fault === undefined ? html`autofocus` : atFault(true)}
          autocomplete="off"
          autocapitalize="characters"
          spellcheck="false"
        />
        <div class="buttons"><button type="submit">Continue</button></div>
      </form>`,
  };
}

export interface PasswordFacts {
  action: string;
  secretName: 'code' | 'token';
  secret: string;
  csrf: string;
  fault?: string | undefined;
  /** What the fault is about: the name, or else the password. */
  isNameAtFault?: boolean;
  /** The invited user; absent where the first administrator chooses a name. */
  user?: string | undefined;
  chosen?: string | undefined;
}

const passwordFields = ({ fault, isNameAtFault = false }: PasswordFacts): Markup =>
  html`<label for="password">Password <small>at least 10 characters</small></label>
    <input
      id="password"
      name="password"
      type="password"
      required
      minlength="10"
      maxlength="200"
      autocomplete="new-password"
      ${atFault(fault !== undefined && !isNameAtFault)}
    />
    <label for="again">The same password again</label>
    <input
      id="again"
      name="again"
      type="password"
      required
      minlength="10"
      maxlength="200"
      autocomplete="new-password"
    />`;

export const setUpView = (facts: PasswordFacts): View => ({
  title: 'Set up',
  body: html`<h1>Set up this gateway</h1>
    <p>You are the first here. Choose the name and password of the administrator; this link works once.</p>
    ${note('bad', facts.fault)}
    <form method="post" action="${facts.action}">
      ${hidden('csrf', facts.csrf)}${hidden(facts.secretName, facts.secret)}
      <label for="user">Name <small>small letters, digits, . _ -</small></label>
      <input
        id="user"
        name="user"
        value="${facts.chosen ?? ''}"
        required
        ${facts.fault === undefined ? html`autofocus` : atFault(facts.isNameAtFault === true)}
        autocomplete="username"
        autocapitalize="none"
        spellcheck="false"
        maxlength="63"
      />
      ${passwordFields(facts)}
      <div class="buttons"><button type="submit">Create the administrator</button></div>
    </form>`,
});

export const invitationView = (facts: PasswordFacts): View => ({
  title: 'Invitation',
  body: html`<h1>Welcome, ${facts.user}</h1>
    <p>Choose the password that you will sign in with; this link works once.</p>
    ${note('bad', facts.fault)}
    <form method="post" action="${facts.action}">
      ${hidden('csrf', facts.csrf)}${hidden(facts.secretName, facts.secret)}
      <label for="user">User</label>
      <input id="user" name="user" value="${facts.user ?? ''}" readonly ${spelling('username')} />
      ${passwordFields(facts)}
      <div class="buttons"><button type="submit">Set password</button></div>
    </form>`,
});

export const passwordSetView = (user: string, publicUrl: string): View => ({
  title: 'Ready',
  body: html`<h1>You are set up</h1>
    ${note('good', `${user} can sign in now.`)}
    <p>Now sign in from a terminal:</p>
    <p class="command"><code>hoop login --gateway ${publicUrl}</code></p>`,
});

/** Anything that cannot go on, politely. */
export const faultView = (title: string, message: string, next: string): View => ({
  title,
  body: html`<h1>${title}</h1>
    ${note('bad', message)}
    <p>${next}</p>`,
});
