import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { UserError } from '../../shared/errors.ts';
import { limits } from '../../shared/limits.ts';

/** OWASP's second setting: 2^15, 8, 3 needs 32 MiB and about a tenth of a second. */
const cost = { N: 2 ** 15, r: 8, p: 3 } as const;
const keyBytes = 32;

let running = 0;
const waiting: (() => void)[] = [];

/** `scrypt$N$r$p$salt$key`, base64url. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const key = await derive(password, salt, cost);
  return ['scrypt', cost.N, cost.r, cost.p, salt.toString('base64url'), key.toString('base64url')].join('$');
}

/** Takes as long for a user that does not exist (`stored: null`) as for a wrong password. */
export async function verifyPassword(password: string, stored: string | null): Promise<boolean> {
  const [scheme, N, r, p, salt, key] = (stored ?? absent).split('$');
  if (scheme !== 'scrypt' || salt === undefined || key === undefined) throw new Error('a password hash is malformed');
  const expected = Buffer.from(key, 'base64url');
  const derived = await derive(password, Buffer.from(salt, 'base64url'), { N: Number(N), r: Number(r), p: Number(p) });
  return timingSafeEqual(derived, expected) && stored !== null;
}

const absent = ['scrypt', cost.N, cost.r, cost.p, 'A'.repeat(22), 'A'.repeat(43)].join('$');

async function derive(
  password: string,
  salt: Buffer,
  { N, r, p }: { N: number; r: number; p: number },
): Promise<Buffer> {
  await slot();
  try {
    return await new Promise((resolve, reject) => {
      const options = { N, r, p, maxmem: 64 * 1024 * 1024 };
      // NFKC: the same password typed on another keyboard is the same password.
      scrypt(password.normalize('NFKC'), salt, keyBytes, options, (error, key) =>
        error ? reject(error) : resolve(key),
      );
    });
  } finally {
    running -= 1;
    waiting.shift()?.();
  }
}

async function slot(): Promise<void> {
  if (running >= limits.passwordHashesMax) {
    if (waiting.length >= limits.passwordHashesWaitingMax) {
      throw new UserError('HOOP_LIMIT', 'too many sign-ins at this moment', { next: 'try again in a few seconds' });
    }
    await new Promise<void>((resolve) => waiting.push(resolve));
  }
  running += 1;
}
