import type { Clock } from '../shared/clock.ts';
import { UserError } from '../shared/errors.ts';
import { spanText } from '../shared/span.ts';
import type { Principal } from './identity/principal.ts';
import type { GatewaySession, SessionEnd } from './session.ts';

/** `session` of hoop.yaml, in milliseconds. */
export interface SessionPolicy {
  maxTtl?: number | undefined;
  idle?: number | undefined;
  keepCredential: boolean;
}

/** On what terms a session runs. */
export interface SessionTerms {
  expiresAt: number | undefined;
  /** Whether a new approval by a person would go on where this ends. */
  isRenewable: boolean;
  idleMillis: number | undefined;
  isCredentialKept: boolean;
}

/** The sessions that this one continues. Times in milliseconds. */
export interface SessionLine {
  startedAt: number;
  predecessorStartedAt: number;
  predecessorExpiresAt: number | undefined;
}

export interface TermsAsked {
  now: number;
  principal: Pick<Principal, 'approvedAt'>;
  ttlMillis: number | undefined;
  isCredentialKept: boolean;
  policy: SessionPolicy;
  /** Of the grant behind it. */
  ttlMillisMax: number | undefined;
  line: SessionLine | undefined;
}

/**
 * The maximum counts from the approval (where no person approves, from the first session of the line), so that neither a successor nor a
 * new session is a way around it: only a new approval is. What was asked for ends a line too, unless a person approved since. Throws
 * HOOP_SIGN_IN or HOOP_SESSION_ENDED where no time is left.
 */
export function decideTerms({ now, principal, policy, line, ...asked }: TermsAsked): SessionTerms {
  const { approvedAt } = principal;
  const most = Math.min(policy.maxTtl ?? Infinity, asked.ttlMillisMax ?? Infinity);
  const byPolicy = (approvedAt ?? line?.startedAt ?? now) + most;
  const isRenewed = line !== undefined && approvedAt !== null && approvedAt > line.predecessorStartedAt;
  const ofLine = isRenewed ? Infinity : (line?.predecessorExpiresAt ?? Infinity);
  const byWish = Math.min(now + (asked.ttlMillis ?? Infinity), ofLine);
  if (byPolicy <= now && approvedAt !== null) throw approvalTooOld(most);
  const expiresAt = Math.min(byPolicy, byWish);
  if (expiresAt <= now) throw timeOver();
  return {
    expiresAt: Number.isFinite(expiresAt) ? expiresAt : undefined,
    isRenewable: approvedAt !== null && Number.isFinite(byPolicy) && byPolicy <= byWish,
    idleMillis: policy.idle,
    isCredentialKept: asked.isCredentialKept,
  };
}

/** As the genesis entry has them; undefined for none. */
export function recordedTerms({
  expiresAt,
  idleMillis,
  isCredentialKept,
}: SessionTerms): Record<string, string> | undefined {
  const terms = {
    ...(expiresAt !== undefined && { expiresAt: new Date(expiresAt).toISOString() }),
    ...(idleMillis !== undefined && { idleSeconds: String(idleMillis / 1000) }),
    ...(isCredentialKept && { credential: 'kept' }),
  };
  return Object.keys(terms).length === 0 ? undefined : terms;
}

/** Ends a session when its time is over, or nobody has used it for too long; the function that stops watching. */
export function watchTerms(
  session: Pick<GatewaySession, 'end' | 'parts'>,
  { expiresAt, isRenewable, idleMillis }: SessionTerms,
  clock: Clock,
): () => void {
  const { recorder } = session.parts;
  const now = () => clock.nowMicros() / 1000;
  const stopExpiry =
    expiresAt === undefined
      ? () => undefined
      : actWhen(
          () => expiresAt - now(),
          () => void session.end(isRenewable ? approvalOver : wishOver),
        );
  if (idleMillis === undefined) return stopExpiry;
  const quietFor = () => (recorder.isAnswering ? 0 : now() - recorder.lastMicros / 1000);
  const stopIdle = actWhen(
    () => idleMillis - quietFor(),
    () => void session.end(idle(idleMillis)),
  );
  return () => {
    stopExpiry();
    stopIdle();
  };
}

/** Acts when nothing is left of the time, which may grow meanwhile. Timers hold at most 2^31 - 1 ms, so far dates are waited for in steps. */
export function actWhen(millisLeft: () => number, act: () => void): () => void {
  let timer: NodeJS.Timeout;
  const wait = () => {
    const millis = millisLeft();
    if (millis <= 0) return act();
    timer = setTimeout(wait, Math.min(Math.ceil(millis), 2 ** 31 - 1));
    timer.unref();
  };
  timer = setTimeout(wait, 0);
  return () => clearTimeout(timer);
}

const approvalTooOld = (millisMax: number): UserError =>
  new UserError(
    'HOOP_SIGN_IN',
    `a session lives at most ${spanText(millisMax)} after its approval here, and yours is older`,
    { next: 'approve a new sign-in: hoop login' },
  );

const timeOver = (): UserError =>
  new UserError('HOOP_SESSION_ENDED', 'the time of the session that this one would continue is over', {
    next: 'open a new one: hoop connect',
  });

const approvalOver: SessionEnd = {
  reason: 'expired',
  message: 'its time is over; it goes on when a person has approved a new sign-in',
  final: false,
  cancels: true,
};
const wishOver: SessionEnd = {
  reason: 'expired',
  message: 'its time is over',
  final: true,
  cancels: true,
};
const idle = (millis: number): SessionEnd => ({
  reason: 'idle',
  message: `nothing was asked for ${spanText(millis)}`,
  final: true,
});
