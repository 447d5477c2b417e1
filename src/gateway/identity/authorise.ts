import type { Registry } from '../../store/registry.ts';
import type { Role } from '../../shared/api.ts';
import type { Clock } from '../../shared/clock.ts';
import { UserError } from '../../shared/errors.ts';
import { limits } from '../../shared/limits.ts';
import type { Principal } from './principal.ts';

/** Default deny: true only if a grant names the user, or a group the user is in, and the resource (or `*`). */
export const mayReach = (registry: Registry, principal: Pick<Principal, 'userId'>, resource: string): boolean =>
  registry.grants.covers(principal.userId, resource);

export function requireRole(principal: Principal, ...roles: Role[]): void {
  if (roles.includes(principal.role)) return;
  throw new UserError(
    'HOOP_DENIED',
    `this needs the role ${roles.join(' or ')}; ${principal.user} has ${principal.role}`,
    {
      next: 'ask an administrator',
    },
  );
}

/** Administrative acts: a coding agent that runs under the administrator's uid must not inherit an old sign-in. */
export function requireFresh(principal: Principal, clock: Clock): void {
  if (principal.authTime === null && principal.via === 'sign-in') {
    throw new UserError('HOOP_FRESH_SIGN_IN', 'the company’s provider does not say when you proved who you are', {
      next: 'administer as a local user: hoop users create NAME --role admin',
    });
  }
  if (principal.authTime === null) {
    throw new UserError('HOOP_FRESH_SIGN_IN', 'an administrative act needs a person who signed in, not a HOOP_TOKEN', {
      next: 'unset HOOP_TOKEN and run: hoop login',
    });
  }
  const ageSeconds = clock.nowMicros() / 1_000_000 - principal.authTime / 1000;
  if (ageSeconds <= limits.freshSignInSeconds) return;
  throw new UserError('HOOP_FRESH_SIGN_IN', 'an administrative act needs a sign-in younger than ten minutes', {
    next: 'run: hoop login',
  });
}

export function requireFreshAdmin(principal: Principal, clock: Clock): void {
  requireRole(principal, 'admin');
  requireFresh(principal, clock);
}
