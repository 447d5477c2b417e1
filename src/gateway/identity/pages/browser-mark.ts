import { randomBytes } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { limits } from '../../../shared/limits.ts';

const cookieName = 'hoop_away';

/** The browser that went to the company's provider, so that only it can come back. Lax: it comes back from another site. */
export function setBrowserMark(reply: FastifyReply, publicUrl: string): string {
  const mark = randomBytes(24).toString('base64url');
  const secure = publicUrl.startsWith('https:') ? '; Secure' : '';
  const life = limits.deviceCodeSeconds;
  reply.header('set-cookie', `${cookieName}=${mark}; Path=/oidc; HttpOnly; SameSite=Lax; Max-Age=${life}${secure}`);
  return mark;
}

export const browserMark = (request: FastifyRequest): string | undefined =>
  new RegExp(`(?:^|;\\s*)${cookieName}=([A-Za-z0-9_-]{32})(?:;|$)`).exec(request.headers.cookie ?? '')?.[1];
