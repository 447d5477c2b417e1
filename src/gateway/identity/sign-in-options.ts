import * as z from 'zod';
import { nameSchema } from '../../shared/api.ts';
import { UserError } from '../../shared/errors.ts';

const words = z.preprocess(
  (value) => (typeof value === 'string' ? value.split(/[\s,]+/).filter((word) => word !== '') : value),
  z.array(z.string().min(1).max(200)).max(200),
);
/** From an environment variable, one group is the whole text between commas: names of groups have spaces. */
const groupList = z.preprocess(
  (value) =>
    typeof value === 'string'
      ? value
          .split(',')
          .map((name) => name.trim())
          .filter((name) => name !== '')
      : value,
  z.array(z.string().min(1).max(200)).max(200),
);

/** The company's OpenID Connect provider; `HOOP_GATEWAY_OIDC_ISSUER` and so on. */
export const oidcSchema = z.strictObject({
  issuer: z
    .url()
    .refine(
      (text) => /^https:\/\/|^http:\/\/(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:|\/|$)/.test(text),
      'must be https, except on this machine',
    ),
  clientId: z.string().min(1),
  clientSecret: z.string().min(1),
  /** As the button calls it. */
  name: z.string().min(1).max(40).optional(),
  scopes: words.default(['openid', 'email', 'profile']),
  /** The claim that lists a person's groups; with it the provider says who is in which. */
  groupsClaim: z.string().min(1).optional(),
  /** The provider's name of a group → ours. Without an entry a group counts where its name is one of ours as it stands. */
  groupNames: z.record(z.string(), nameSchema).default({}),
  /** The provider's groups whose members are administrators. */
  adminGroups: groupList.optional(),
  /** Domains of e-mail addresses; without it everybody whom the provider knows. */
  allowedDomains: words.transform((domains) => domains.map((domain) => domain.toLowerCase())).optional(),
  /** False for a provider that never says `email_verified`, and whose addresses nobody chooses for themselves. */
  requireVerifiedEmail: z.stringbool().or(z.boolean()).default(true),
});
export type OidcOptions = z.infer<typeof oidcSchema>;

/** Keys of hoop.yaml that say how people sign in. */
export const signInShape = {
  oidc: oidcSchema.optional(),
  /** Users with a password here. */
  localUsers: z.stringbool().or(z.boolean()).default(true),
  /** RFC 8628; without it `hoop login` opens this machine's browser. */
  deviceFlow: z.stringbool().or(z.boolean()).default(true),
  /** A link with the code in it; without it people type the code. */
  verificationUriComplete: z.stringbool().or(z.boolean()).default(true),
};

export interface SignInOptions {
  oidc?: OidcOptions | undefined;
  localUsers: boolean;
  deviceFlow: boolean;
  verificationUriComplete: boolean;
}

export const defaultSignInOptions: SignInOptions = {
  localUsers: true,
  deviceFlow: true,
  verificationUriComplete: true,
};

/** Somebody must be able to sign in, and somebody to administer. Throws HOOP_CONFIG. */
export function checkSignInOptions({ localUsers, oidc }: SignInOptions): void {
  if (oidc?.adminGroups && !oidc.groupsClaim)
    throw new UserError('HOOP_CONFIG', 'oidc.adminGroups is set, and oidc.groupsClaim is not', {
      next: 'set oidc.groupsClaim to the claim that lists a person’s groups, often `groups`',
    });
  if (localUsers || oidc?.adminGroups) return;
  throw new UserError('HOOP_CONFIG', 'localUsers is false, and nobody could sign in as an administrator', {
    next: 'set oidc with groupsClaim and adminGroups, or leave localUsers on',
  });
}
