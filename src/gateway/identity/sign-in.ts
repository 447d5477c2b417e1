import type { Registry } from '../../store/registry.ts';
import type { StoredUser } from '../../store/registry/users.ts';
import { UserError } from '../../shared/errors.ts';
import { limits } from '../../shared/limits.ts';
import { Attempts } from './attempts.ts';
import { verifyPassword } from './password.ts';

const windowMillis = limits.passwordTriesSeconds * 1000;
export const signInRules = {
  pair: { max: limits.passwordTriesMax, windowMillis },
  address: { max: limits.passwordTriesPerAddressMax, windowMillis },
  user: { max: limits.passwordTriesPerUserMax, windowMillis },
  perCode: { max: limits.passwordTriesPerCodeMax, windowMillis: limits.deviceCodeSeconds * 1000 },
  leaving: { max: limits.deviceCodesMax, windowMillis: limits.deviceCodeSeconds * 1000 },
  code: { max: limits.wrongCodesMax, windowMillis: limits.deviceCodeSeconds * 1000 },
} as const;

export interface PasswordProof {
  user: string;
  password: string;
  address: string;
}

/** Checks names, passwords and user codes, and stops guessing. */
export class SignIn {
  readonly #registry: Registry;
  readonly #attempts: Attempts;

  readonly #localUsers: boolean;

  constructor(registry: Registry, now: () => number, localUsers = true) {
    this.#localUsers = localUsers;
    this.#registry = registry;
    this.#attempts = new Attempts(now);
  }

  /** The user, or HOOP_DENIED with the same words for every reason, or HOOP_LIMIT. */
  async prove({ user, password, address }: PasswordProof): Promise<StoredUser> {
    if (!this.#localUsers)
      throw new UserError('HOOP_DENIED', 'there are no passwords at this gateway', {
        next: 'sign in at your company’s provider',
      });
    const name = user.trim().toLowerCase().slice(0, 64);
    const keys = [
      [`pair ${address} ${name}`, signInRules.pair],
      [`address ${address}`, signInRules.address],
      [`user ${name}`, signInRules.user],
    ] as const;
    for (const [key, rule] of keys) this.#attempts.check(key, rule, 'wrong passwords');
    // Counted before the slow hash, so that many tries at once are many tries.
    for (const [key, rule] of keys) this.#attempts.count(key, rule);
    const found = this.#registry.users.byName(name);
    const right = await verifyPassword(
      password.slice(0, 1000),
      found ? this.#registry.users.passwordHash(found.id) : null,
    );
    // Read again: the hash took time, and the user may be gone by now.
    const current = found && this.#registry.users.byId(found.id);
    if (!right || !current || current.disabled) {
      throw new UserError('HOOP_DENIED', 'the user name or the password is wrong', { next: 'try again' });
    }
    const [[pair], [from], [anywhere]] = keys;
    this.#attempts.forget(pair);
    this.#attempts.forgive(from);
    this.#attempts.forgive(anywhere);
    return current;
  }

  /** A wrong password for a device code; true when it was one too many, and the code should die. */
  wrongFor(userCode: string): boolean {
    const key = `for ${userCode}`;
    this.#attempts.count(key, signInRules.perCode);
    return this.#attempts.isUsedUp(key, signInRules.perCode);
  }

  /** Counts people on their way to the company's provider: each is a little memory. */
  leaves(address: string): void {
    const key = `leaves ${address}`;
    this.#attempts.check(key, signInRules.leaving, 'sign-in requests');
    this.#attempts.count(key, signInRules.leaving);
  }

  checkCode(address: string): void {
    this.#attempts.check(`code ${address}`, signInRules.code, 'wrong codes');
  }

  wrongCode(address: string): void {
    this.#attempts.count(`code ${address}`, signInRules.code);
  }
}
