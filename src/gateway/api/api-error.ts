import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ApiError } from '../../shared/api.ts';
import type { ErrorCode } from '../../shared/error-codes.ts';
import { UserError } from '../../shared/errors.ts';

const statusOf: Partial<Record<ErrorCode, number>> = {
  HOOP_USAGE: 400,
  HOOP_PROTOCOL: 400,
  HOOP_SIGN_IN: 401,
  // RFC 9470: the token is good, but the sign-in behind it is too old.
  HOOP_FRESH_SIGN_IN: 401,
  HOOP_DENIED: 403,
  HOOP_NOT_FOUND: 404,
  HOOP_EXISTS: 409,
  HOOP_LIMIT: 429,
  HOOP_AGENT_OFFLINE: 503,
  HOOP_GATEWAY_DRAINING: 503,
  HOOP_RECORDER: 503,
};

const challengeOf: Partial<Record<ErrorCode, string>> = {
  HOOP_SIGN_IN: 'DPoP error="invalid_token", algs="ES256 EdDSA Ed25519"',
  HOOP_FRESH_SIGN_IN: 'DPoP error="insufficient_user_authentication", max_age="600"',
};

const apiErrorBody = (error: UserError): ApiError => ({
  error: { code: error.code, message: error.message, ...(error.next === undefined ? {} : { next: error.next }) },
});

const httpStatus = (error: UserError): number => statusOf[error.code] ?? 500;

/** Every failure as ApiError JSON; a bug of ours says nothing but that it is one. */
export function sendApiError(
  error: Error & { statusCode?: number },
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const known = error instanceof UserError ? error : fromFastify(error);
  if (known === undefined) request.log.error({ error: error.stack ?? String(error) }, 'a request failed');
  const shown =
    known ?? new UserError('HOOP_INTERNAL', 'the gateway failed on this request', { next: 'its log says why' });
  const challenge = challengeOf[shown.code];
  if (challenge !== undefined) reply.header('www-authenticate', challenge);
  const tooLarge = error.statusCode === 413;
  return reply.code(tooLarge ? 413 : httpStatus(shown)).send(apiErrorBody(shown));
}

/** What fastify itself refuses: malformed JSON, a wrong content type, a body over the bound. */
function fromFastify(error: Error & { statusCode?: number }): UserError | undefined {
  const { statusCode = 500 } = error;
  if (statusCode === 413)
    return new UserError('HOOP_LIMIT', 'the request body is too large', { next: 'send less', cause: error });
  if (statusCode >= 500) return undefined;
  return new UserError('HOOP_USAGE', 'the request is not valid JSON of the expected kind', {
    next: 'use the same version of hoop on both sides',
    cause: error,
  });
}
