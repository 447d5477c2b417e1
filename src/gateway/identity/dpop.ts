import { createHash } from 'node:crypto';
import { calculateJwkThumbprint, EmbeddedJWK, jwtVerify, type JWTPayload } from 'jose';
import { UserError } from '../../shared/errors.ts';
import { limits } from '../../shared/limits.ts';

/** What a proof must be about. */
export interface ProofTarget {
  method: string;
  /** Absolute; query and fragment do not count (RFC 9449 4.2). */
  url: string;
  /** The access token that the proof goes with; absent at the token endpoint. */
  accessToken?: string;
}

const algorithms = ['ES256', 'EdDSA', 'Ed25519'];

/** Verifies DPoP proofs (RFC 9449 section 4.3); each is good once. */
export class ProofVerifier {
  /** `thumbprint jti` → when it may be forgotten (seconds). Insertion order is nearly expiry order. */
  readonly #seen = new Map<string, number>();
  readonly #nowSeconds: () => number;

  constructor(nowSeconds: () => number) {
    this.#nowSeconds = nowSeconds;
  }

  /** The key's RFC 7638 thumbprint. `expected`: the key that the token is bound to. Throws HOOP_SIGN_IN. */
  async verify(proof: string | undefined, target: ProofTarget, expected?: string): Promise<string> {
    if (!proof) throw refused('it has no DPoP proof');
    const { payload, thumbprint } = await this.#signature(proof);
    this.#claims(payload, target);
    if (expected !== undefined && thumbprint !== expected)
      throw refused('its proof is by another key than the token’s');
    this.#once(`${thumbprint} ${payload.jti}`, payload.iat as number);
    return thumbprint;
  }

  async #signature(proof: string): Promise<{ payload: JWTPayload; thumbprint: string }> {
    try {
      // maxTokenAge and the like are checked below, by our clock.
      const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, {
        algorithms,
        typ: 'dpop+jwt',
        currentDate: new Date(this.#nowSeconds() * 1000),
      });
      if (!protectedHeader.jwk) throw new Error('no key');
      return { payload, thumbprint: await calculateJwkThumbprint(protectedHeader.jwk) };
    } catch (cause) {
      throw refused('its DPoP proof is not a valid one', cause);
    }
  }

  #claims(payload: JWTPayload, { method, url, accessToken }: ProofTarget): void {
    const { jti, iat, htm, htu, ath } = payload as JWTPayload & Record<'htm' | 'htu' | 'ath', unknown>;
    if (typeof jti !== 'string' || jti.length === 0 || jti.length > 128) throw refused('its proof has no jti');
    if (htm !== method) throw refused('its proof is for another method');
    if (typeof htu !== 'string' || comparable(htu) !== comparable(url))
      throw refused('its proof is for another address');
    if (typeof iat !== 'number' || Math.abs(this.#nowSeconds() - iat) > limits.proofAgeSecondsMax) {
      throw new UserError('HOOP_SIGN_IN', 'the request was not accepted: its proof is too old, or the clocks differ', {
        next: 'set this machine’s clock (more than a minute off is too much)',
      });
    }
    if (accessToken !== undefined && ath !== createHash('sha256').update(accessToken).digest('base64url')) {
      throw refused('its proof is for another token');
    }
  }

  #once(key: string, iat: number): void {
    const now = this.#nowSeconds();
    for (const [old, until] of this.#seen) {
      if (until >= now) break;
      this.#seen.delete(old);
    }
    if (this.#seen.has(key)) throw refused('its proof was used before');
    if (this.#seen.size >= limits.proofsSeenMax) {
      throw new UserError('HOOP_LIMIT', 'the gateway has too many requests', { next: 'try again in a minute' });
    }
    // Until the proof is too old, whichever way the clocks differ; never sooner than its neighbours, so that the order holds.
    this.#seen.set(key, Math.max(now, iat) + limits.proofAgeSecondsMax);
  }
}

const refused = (why: string, cause?: unknown): UserError =>
  new UserError('HOOP_SIGN_IN', `the request was not accepted: ${why}`, { next: 'run: hoop login', cause });

/** Without query and fragment, ws as http: a WebSocket upgrade is a GET. */
function comparable(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text.replace(/^ws(s?):/i, 'http$1:'));
  return `${url.origin}${url.pathname}`;
}
