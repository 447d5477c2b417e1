import type { ErrorCode } from './error-codes.ts';

/** A mistake or a circumstance that the person can do something about: printed as message + next step, never with a stack. */
export class UserError extends Error {
  override readonly name = 'UserError';
  readonly code: ErrorCode;
  /** What to do next, as one sentence or one command. */
  readonly next: string | undefined;

  constructor(code: ErrorCode, message: string, options: { next?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.next = options.next;
  }
}

/** Bytes that cannot be this protocol, or that may not be sent in this state. It ends the stream. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  /** Short, stable, kebab-case: what the record and the tests name, e.g. `unknown-message`, `bad-length`. */
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** Our bug. Crashes loudly; never used for input. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}
