import type { Whoami } from '../shared/api.ts';
import { UserError } from '../shared/errors.ts';
import { pinAgentKeys } from './agent-keys.ts';
import { whoami } from './api/account.ts';
import { listResources } from './api/resources.ts';
import { StoredAuthorization } from './authorization.ts';
import { GatewayApi } from './gateway-api.ts';
import { openGatewayFetch } from './gateway-fetch.ts';
import { openGatewayRequest } from './gateway-request.ts';
import { caFileOf, chooseGateway } from './gateway-url.ts';
import { pinLogKey } from './log-key.ts';
import { openBrowser } from './open-browser.ts';
import { gatewaySettings, updateSettings } from './settings.ts';
import { signIn, type DevicePrompt } from './sign-in.ts';
import { chooseTokenStore } from './token-store.ts';

export interface LoginOptions {
  gateway?: string | undefined;
  caFile?: string | undefined;
  tokenStore?: 'keychain' | 'file' | undefined;
  open?: boolean;
  /** By this machine's browser, without a code. */
  browser?: boolean;
  say: (line: string) => void;
}

/** `hoop login`: shows the code, waits for the approval, stores the tokens, and says who one is now. */
export async function login(options: LoginOptions): Promise<{ who: Whoami; place: string }> {
  const { say, tokenStore, open = false, browser = false } = options;
  if (process.env['HOOP_TOKEN'])
    throw new UserError('HOOP_USAGE', 'HOOP_TOKEN is set, and it would be used instead of a sign-in', {
      next: 'unset HOOP_TOKEN, then run: hoop login',
    });
  const chosen = await chooseGateway(options.gateway);
  const caFile = caFileOf(options.caFile);
  const send = openGatewayFetch(caFile);
  const store = await chooseTokenStore(say, tokenStore);
  const waiting = new AbortController();
  const show = (prompt: DevicePrompt) => {
    showPrompt(prompt, say);
    if (open || prompt.userCode === undefined) void openOrSay(prompt, say);
    else if (process.stdin.isTTY) offerBrowser(prompt, say, waiting.signal);
    else say(waitingLine(prompt));
  };
  const onOwnAddress = (own: string) => say(`${chosen} calls itself ${own}; that address is used from now on.`);
  try {
    const gateway = await signIn({ gateway: chosen, send, store, show, browser, signal: waiting.signal, onOwnAddress });
    const api = new GatewayApi(gateway, new StoredAuthorization(gateway, send), openGatewayRequest(caFile));
    const who = await whoami(api);
    await updateSettings((settings) => {
      gatewaySettings(settings, gateway).user = who.user;
    });
    const changed = await pinLogKey(gateway, send);
    const { resources } = await listResources(api);
    for (const line of [changed, ...(await pinAgentKeys(gateway, resources))]) if (line !== undefined) say(line);
    return { who, place: store.place };
  } finally {
    waiting.abort();
  }
}

/** The code first, then the page: the person compares the code there. */
export function showPrompt({ userCode, urlWithCode }: DevicePrompt, say: (line: string) => void): void {
  if (userCode !== undefined) say(`Code  ${userCode}`);
  say(`Page  ${urlWithCode}`);
}

const waitingLine = ({ expiresInSeconds }: DevicePrompt): string =>
  `Waiting for the approval there; the code is good for ${Math.round(expiresInSeconds / 60)} minutes.`;

function offerBrowser(prompt: DevicePrompt, say: (line: string) => void, signal: AbortSignal): void {
  say(`Press Enter to open the page here, or open it anywhere. ${waitingLine(prompt)}`);
  const { stdin } = process;
  const pressed = () => void openOrSay(prompt, say);
  stdin.once('data', pressed);
  signal.addEventListener('abort', () => {
    stdin.off('data', pressed);
    stdin.pause();
  });
}

async function openOrSay({ urlWithCode, userCode }: DevicePrompt, say: (line: string) => void): Promise<void> {
  if (await openBrowser(urlWithCode)) return;
  if (userCode === undefined) say('No browser could be opened here; open the page in a browser of this machine.');
  else say('No browser could be opened on this machine; open the page on another one.');
}
