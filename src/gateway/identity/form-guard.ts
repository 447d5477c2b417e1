import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { UserError } from '../../shared/errors.ts';

const cookieName = 'hoop_form';

/** Forms of ours only: a signed token in the form that fits a SameSite=Strict cookie, and no other site as the origin. */
export class FormGuard {
  readonly #key: string;
  readonly #secure: boolean;
  readonly #host: string;

  constructor(key: string, publicUrl: string) {
    this.#key = key;
    this.#secure = publicUrl.startsWith('https:');
    this.#host = new URL(publicUrl).host;
  }

  /** The token for the form; sets the cookie where there is none. */
  token(request: FastifyRequest, reply: FastifyReply): string {
    const seed = readCookie(request) ?? randomBytes(24).toString('base64url');
    reply.header(
      'set-cookie',
      `${cookieName}=${seed}; Path=/; HttpOnly; SameSite=Strict; Max-Age=86400${this.#secure ? '; Secure' : ''}`,
    );
    return this.#sign(seed);
  }

  /** Throws HOOP_DENIED for a form that another site sent, or that is a day old. */
  check(request: FastifyRequest, token: string | undefined): void {
    const seed = readCookie(request);
    const expected = seed === undefined ? undefined : this.#sign(seed);
    const fits =
      expected !== undefined &&
      token?.length === expected.length &&
      timingSafeEqual(Buffer.from(token), Buffer.from(expected));
    if (fits && isOwnOrigin(request, this.#host)) return;
    throw new UserError('HOOP_DENIED', 'the form did not come from this page, or is too old', {
      next: 'open the link again, with cookies allowed for this site',
    });
  }

  #sign(seed: string): string {
    return createHmac('sha256', this.#key).update(`hoop form v1\n${seed}`).digest('base64url');
  }
}

/** The public host, which a proxy may hide behind another Host; or the one that was asked, such as localhost for 127.0.0.1. */
function isOwnOrigin(request: FastifyRequest, publicHost: string): boolean {
  const site = request.headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return false;
  const { origin } = request.headers;
  if (origin === undefined) return true;
  return URL.canParse(origin) && [publicHost, request.host].includes(new URL(origin).host);
}

function readCookie(request: FastifyRequest): string | undefined {
  const found = new RegExp(`(?:^|;\\s*)${cookieName}=([A-Za-z0-9_-]{32})(?:;|$)`).exec(request.headers.cookie ?? '');
  return found?.[1];
}
