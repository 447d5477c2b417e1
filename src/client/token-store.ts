import { createHash } from 'node:crypto';
import { chmod, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { UserError } from '../shared/errors.ts';
import { configDir } from './config-dir.ts';
import { deletePassword, getPassword, probeKeychain, setPassword } from './keychain.ts';
import { readPrivateFile, removePrivateFile, writePrivateFile } from './private-file.ts';
import { readSettings, updateSettings } from './settings.ts';

/** One sign-in at one gateway, stored as one value, so that tokens and key always belong together. */
const storedSignInSchema = z.object({
  version: z.literal(1),
  gateway: z.string(),
  refreshToken: z.string(),
  accessToken: z.string(),
  /** Milliseconds since 1970. */
  accessExpiresAt: z.number(),
  /** The DPoP key pair, private part included. */
  key: z.object({ kty: z.literal('EC'), crv: z.literal('P-256'), x: z.string(), y: z.string(), d: z.string() }),
});
export type StoredSignIn = z.infer<typeof storedSignInSchema>;

export interface TokenStore {
  readonly kind: 'keychain' | 'file';
  /** For people: where the tokens are. */
  readonly place: string;
  read(gateway: string): Promise<StoredSignIn | undefined>;
  write(signIn: StoredSignIn): Promise<void>;
  remove(gateway: string): Promise<void>;
}

const service = 'hoop';

/** The store that the first sign-in chose. Before any sign-in there is nothing to read, and the file is asked, which disturbs nobody. */
export async function openTokenStore(): Promise<TokenStore> {
  const { tokenStore } = await readSettings();
  return tokenStore === 'keychain' ? keychainStore() : fileStore(configDir());
}

/**
 * At sign-in: the recorded store; else the keychain where it works, and otherwise a file, said once. `wanted` changes the choice on
 * purpose. What was chosen is recorded and never changes by itself.
 */
export async function chooseTokenStore(say: (line: string) => void, wanted?: 'keychain' | 'file'): Promise<TokenStore> {
  const recorded = (await readSettings()).tokenStore;
  const kind = wanted ?? recorded;
  if (kind !== undefined && kind === recorded) return storeOf(kind);
  const chosen = kind === 'file' ? 'file' : await keychainOrFile(say, kind);
  await updateSettings((settings) => {
    settings.tokenStore = chosen;
  });
  return storeOf(chosen);
}

async function keychainOrFile(say: (line: string) => void, wanted?: 'keychain'): Promise<'keychain' | 'file'> {
  const probe = await probeKeychain(service);
  if (probe.works) return 'keychain';
  if (wanted === 'keychain')
    throw new UserError('HOOP_KEYCHAIN', `the keychain cannot be used: ${probe.why}`, {
      next: 'start or unlock it, or use --token-store file',
    });
  say(`No keychain here (${probe.why}).`);
  say(`Tokens are kept in ${fileStore(configDir()).place}, which only this user can read.`);
  return 'file';
}

const storeOf = (kind: 'keychain' | 'file'): TokenStore =>
  kind === 'keychain' ? keychainStore() : fileStore(configDir());

function keychainStore(): TokenStore {
  return {
    kind: 'keychain',
    place: 'the keychain',
    read: async (gateway) => parse((await getPassword(service, gateway)) ?? undefined, 'the keychain'),
    write: async (signIn) => setPassword(service, signIn.gateway, JSON.stringify(signIn)),
    remove: async (gateway) => void (await deletePassword(service, gateway)),
  };
}

/** For refreshing: one process of this user at a time, whichever store. */
export const tokenLockPath = (gateway: string): string => join(configDir(), 'tokens', `${digest(gateway)}.lock`);
/** For signing in: one device code of this user at a time. */
export const signInLockPath = (gateway: string): string =>
  join(configDir(), 'tokens', `${digest(gateway)}.sign-in.lock`);

/** Addresses are no file names. */
const digest = (gateway: string): string => createHash('sha256').update(gateway).digest('hex').slice(0, 32);

/** One 0600 file per gateway. */
function fileStore(folder: string): TokenStore {
  const pathOf = (gateway: string) => join(folder, 'tokens', `${digest(gateway)}.json`);
  return {
    kind: 'file',
    place: join(folder, 'tokens'),
    async read(gateway) {
      const path = pathOf(gateway);
      await closeToOthers(path);
      return parse(await readPrivateFile(path), path);
    },
    write: async (signIn) => writePrivateFile(pathOf(signIn.gateway), `${JSON.stringify(signIn)}\n`),
    remove: async (gateway) => removePrivateFile(pathOf(gateway)),
  };
}

/** Copied by hand or restored from a backup, the file may have lost its mode. */
async function closeToOthers(path: string): Promise<void> {
  const mode = await stat(path).then(
    (found) => found.mode,
    () => undefined,
  );
  if (mode !== undefined && (mode & 0o077) !== 0) await chmod(path, 0o600).catch(() => undefined);
}

/** What cannot be read is no sign-in: the next one replaces it. */
function parse(text: string | undefined, where: string): StoredSignIn | undefined {
  if (text === undefined) return undefined;
  try {
    return storedSignInSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new UserError('HOOP_SIGN_IN', `the tokens in ${where} cannot be read`, { next: 'run: hoop login', cause });
  }
}
