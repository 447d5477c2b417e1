import { apiErrorSchema } from '../shared/api.ts';
import type { ErrorCode } from '../shared/error-codes.ts';
import { UserError } from '../shared/errors.ts';

/** The gateway's "no" as it said it, or undefined when the body is something else. */
export function gatewayRefusal(body: unknown): UserError | undefined {
  const parsed = apiErrorSchema.safeParse(body);
  if (!parsed.success) return undefined;
  const { code, message, next } = parsed.data.error;
  return new UserError(code as ErrorCode, message, next === undefined ? {} : { next });
}

export function notAGateway(url: string, status: number): UserError {
  return new UserError('HOOP_GATEWAY_UNREACHABLE', `${new URL(url).origin} answered ${status}, not as a hoop gateway`, {
    next: 'check the gateway’s address and the proxies in between',
  });
}
