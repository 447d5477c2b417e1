import type { Role } from '../../shared/api.ts';

/** Who a request comes from: verified, never what the client says about itself. */
export interface Principal {
  /** Stable; a name can be looked up by it. */
  userId: string;
  user: string;
  role: Role;
  groups: string[];
  via: 'sign-in' | 'token';
  /** When a person proved to be the user, in milliseconds; null for a HOOP_TOKEN, and where the company's provider does not say it. */
  authTime: number | null;
  /** When a person approved the sign-in here, in milliseconds, or proved to be the user for it; null for a HOOP_TOKEN. */
  approvedAt: number | null;
  /** The HOOP_TOKEN behind it. */
  tokenId: string | null;
  /** The OAuth grant behind it. */
  grantId: string;
  /** End of the grant (or the HOOP_TOKEN), in milliseconds: a tunnel lives no longer. */
  expiresAt: number | null;
}

/** What ended while sessions may still live on it. `access`: a grant was removed or groups changed, ask `mayReach` again. */
export type Revocation =
  | { kind: 'user'; userId: string; user: string }
  | { kind: 'grant'; grantId: string }
  | { kind: 'access' };
