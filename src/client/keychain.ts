import { UserError } from '../shared/errors.ts';

/**
 * keytar's five functions over its maintained successor. On Linux the Secret Service is pinned: left to itself the library falls back
 * silently to the kernel's keyring, which other sessions cannot read and a reboot empties.
 */
const options = { linux: { store: 'secret-service' } } as const;

/** A locked keychain waits for a person to unlock it: long enough to type a password, not for ever. */
const millisMax = 60_000;
/** At sign-in, where the answer decides between keychain and file. */
const probeMillisMax = 5_000;

export async function getPassword(service: string, account: string): Promise<string | null> {
  return asked(async () => (await entry(service, account)).getPassword());
}

export async function setPassword(service: string, account: string, password: string): Promise<void> {
  return asked(async () => (await entry(service, account)).setPassword(password));
}

export async function deletePassword(service: string, account: string): Promise<boolean> {
  return asked(async () => (await entry(service, account)).deletePassword());
}

export async function findPassword(service: string): Promise<string | null> {
  const [first] = await findCredentials(service);
  return first?.password ?? null;
}

export async function findCredentials(service: string): Promise<{ account: string; password: string }[]> {
  return asked(async () => {
    // This function cannot be pinned to a store: without a Secret Service it would answer from the kernel's keyring.
    await (await entry(service, 'is there a Secret Service')).getPassword();
    return (await load()).findCredentialsAsync(service);
  });
}

/** Does it keep what it is given? Why not, where it does not. */
export async function probeKeychain(service: string): Promise<{ works: true } | { works: false; why: string }> {
  const account = `probe ${process.pid} ${Date.now()}`;
  try {
    return await within(probeMillisMax, async () => {
      const probe = await entry(service, account);
      await probe.setPassword('probe');
      const kept = await probe.getPassword();
      await probe.deletePassword();
      return kept === 'probe' ? { works: true } : { works: false, why: 'it does not keep what it is given' };
    });
  } catch (error) {
    return { works: false, why: reason(error) };
  }
}

const load = () => import('@napi-rs/keyring');

async function entry(service: string, account: string) {
  const { AsyncEntry } = await load();
  return new AsyncEntry(service, account, options);
}

async function asked<T>(question: () => Promise<T>): Promise<T> {
  try {
    return await within(millisMax, question);
  } catch (cause) {
    throw new UserError('HOOP_KEYCHAIN', `the keychain that holds the tokens does not answer: ${reason(cause)}`, {
      next: 'unlock it (on a headless machine run: hoop login --token-store file)',
      cause,
    });
  }
}

async function within<T>(millis: number, question: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${millis / 1000} s; it may be locked`)), millis);
  });
  try {
    return await Promise.race([question(), deadline]);
  } finally {
    clearTimeout(timer);
  }
}

/** The first line, without control characters: these messages come from other programs. */
function reason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  if (/DBUS_SESSION_BUS_ADDRESS|ServiceUnknown|No such file or directory/.test(text))
    return 'no Secret Service is running';
  return (text.split('\n')[0] ?? '').replace(/\p{Cc}/gu, ' ').slice(0, 200);
}
