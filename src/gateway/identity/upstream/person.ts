import { nameSchema } from '../../../shared/api.ts';
import { UserError } from '../../../shared/errors.ts';
import type { UpstreamPerson } from '../../../store/registry/upstream-users.ts';
import type { OidcOptions } from '../sign-in-options.ts';

/** What a provider says of a person, in the ID token and at its userinfo endpoint. */
export type Claims = Record<string, unknown> & { iss: string; sub: string };

/** Whom the claims describe, if such a person may sign in here. Throws HOOP_DENIED. */
export function personOf(claims: Claims, options: OidcOptions): UpstreamPerson {
  const email = typeof claims['email'] === 'string' ? claims['email'].trim().slice(0, 254) : '';
  checkEmail(email, claims['email_verified'], options);
  const theirs = options.groupsClaim === undefined ? undefined : namesIn(claims[options.groupsClaim]);
  return {
    issuer: claims.iss,
    subject: claims.sub,
    email,
    name: nameFrom(email),
    ...(theirs && { groups: ourGroups(theirs, options.groupNames) }),
    ...(theirs && options.adminGroups && { isAdmin: theirs.some((group) => options.adminGroups?.includes(group)) }),
  };
}

function checkEmail(email: string, verified: unknown, { allowedDomains, requireVerifiedEmail }: OidcOptions): void {
  // Exactly one @: `mallory@corp.example@evil.example` has no domain that could be allowed.
  const [, domain] = /^[^\s@]+@([^\s@]+)$/.exec(email) ?? [];
  if (domain === undefined)
    throw new UserError('HOOP_DENIED', 'your account there has no e-mail address', {
      next: 'ask your administrator to let the provider tell it (scope email)',
    });
  if (allowedDomains && !allowedDomains.includes(domain.toLowerCase()))
    throw new UserError('HOOP_DENIED', `the address ${email} is not of a domain that may sign in here`, {
      next: 'sign out there and come back with your company’s account, or ask your administrator',
    });
  if (requireVerifiedEmail && verified !== true && verified !== 'true')
    throw new UserError('HOOP_DENIED', `the address ${email} is not verified there`, {
      next: 'verify it with the provider, then come back',
    });
}

function namesIn(claim: unknown): string[] {
  const list = typeof claim === 'string' ? [claim] : Array.isArray(claim) ? claim : [];
  return list.filter((name): name is string => typeof name === 'string').slice(0, 1000);
}

/** Never by likeness: two groups must not become one because their names are spelt nearly the same. */
const ourGroups = (theirs: string[], groupNames: Record<string, string>): string[] =>
  theirs.flatMap((group) => {
    if (Object.hasOwn(groupNames, group)) return [groupNames[group]!];
    return nameSchema.safeParse(group).success ? [group] : [];
  });

/** The local part, as far as a user can be called so. */
function nameFrom(email: string): string {
  const local = email.slice(0, email.indexOf('@')).toLowerCase();
  const name = local
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replace(/^[._-]+/, '')
    .slice(0, 60);
  return name === '' ? 'user' : name;
}
