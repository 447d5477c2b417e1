import { UserError } from '../../shared/errors.ts';
import { whoami } from '../api/account.ts';
import type { OpenedGateway } from '../open-gateway.ts';
import { openTokenStore } from '../token-store.ts';
import { findDirectCredentials, type DirectCredential } from './direct-credentials.ts';
import { probeRecord } from './probe-record.ts';

export interface Check {
  name: string;
  state: 'ok' | 'warning' | 'failed' | 'not checked';
  /** What was seen. */
  seen: string;
  next: string | null;
}

export interface DoctorReport {
  checks: Check[];
  directCredentials: DirectCredential[];
  /** Nothing failed, and nothing goes around the gateway. */
  healthy: boolean;
}

export interface DoctorOptions {
  gateway: () => Promise<OpenedGateway>;
  /** Whose path is tried, from here to the record. */
  resources: string[];
  caFile: string | undefined;
  folder: string;
  /** Each check as it is done. */
  onCheck: (check: Check) => void;
}

const clockSecondsMax = 30;

/** Looks at everything between a program on this machine and the record. Never throws for what it finds. */
export async function runDoctor(options: DoctorOptions): Promise<DoctorReport> {
  const checks: Check[] = [];
  const check = async (name: string, act: () => Promise<Omit<Check, 'name'>>) => {
    const done = { name, ...(await act().catch(failed)) };
    checks.push(done);
    options.onCheck(done);
    return done.state;
  };
  const gateway = await options.gateway().catch((error: unknown) => error);
  const reached = await check('gateway', () => reach(gateway));
  const isReached = reached === 'ok' || reached === 'warning';
  const signedIn = isReached ? await check('sign-in', () => signIn(gateway as OpenedGateway)) : 'not checked';
  await check('tokens', tokens);
  for (const resource of options.resources) {
    await check(`record of ${resource}`, async () =>
      signedIn === 'ok'
        ? probeRecord({ gateway: gateway as OpenedGateway, resource, caFile: options.caFile })
        : { state: 'not checked', seen: 'nobody is signed in', next: null },
    );
  }
  const directCredentials = await findDirectCredentials({ folder: options.folder });
  const healthy = directCredentials.length === 0 && checks.every(({ state }) => state === 'ok' || state === 'warning');
  return { checks, directCredentials, healthy };
}

function failed(error: unknown): Omit<Check, 'name'> {
  if (!(error instanceof UserError)) throw error;
  return { state: 'failed', seen: error.message, next: error.next ?? null };
}

/** Reaches the gateway, and compares clocks: proofs of a clock that is wrong are refused. */
async function reach(gateway: unknown): Promise<Omit<Check, 'name'>> {
  if (gateway instanceof Error) throw gateway;
  const { url, send } = gateway as OpenedGateway;
  const before = Date.now();
  const answer = await send(`${url}/healthz`);
  const now = (before + Date.now()) / 2;
  const { version } = (await answer.json()) as { version?: string };
  const date = Date.parse(answer.headers.get('date') ?? '');
  const offSeconds = Number.isNaN(date) ? 0 : Math.abs(now - date) / 1000;
  const seen = `${url}, hoop ${version ?? 'of an unknown version'}, ${Math.round(Date.now() - before)} ms`;
  if (offSeconds <= clockSecondsMax) return { state: 'ok', seen, next: null };
  return {
    state: 'failed',
    seen: `this machine’s clock and the gateway’s differ by ${Math.round(offSeconds)} s`,
    next: 'set the clock (NTP); proofs of a clock that is wrong are refused',
  };
}

async function signIn({ api }: OpenedGateway): Promise<Omit<Check, 'name'>> {
  const { user, role, via } = await whoami(api);
  return { state: 'ok', seen: `${user} (${role}), by ${via === 'token' ? 'HOOP_TOKEN' : 'sign-in'}`, next: null };
}

async function tokens(): Promise<Omit<Check, 'name'>> {
  if (process.env['HOOP_TOKEN']) return { state: 'ok', seen: 'HOOP_TOKEN', next: null };
  const { kind, place } = await openTokenStore();
  if (kind === 'keychain') return { state: 'ok', seen: place, next: null };
  return {
    state: 'warning',
    seen: `in a file: ${place}`,
    next: 'where a keychain works, hoop login --token-store keychain moves them',
  };
}
