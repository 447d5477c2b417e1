import { describe, expect, test } from 'vitest';
import { permit } from '../../src/gateway/permit.ts';
import { decideTerms, type SessionLine, type TermsAsked } from '../../src/gateway/session-terms.ts';

describe('who may reach a resource', () => {
  test('without a grant nobody', () => expect(permit([], 'cursor')).toEqual({ kind: 'none' }));

  test.each([
    [{}, null, true],
    [{}, 'cursor', true],
    [{ requireActor: true }, null, false],
    [{ requireActor: true }, 'anything', true],
    [{ actors: ['cursor', 'claude-code'] }, 'Cursor', true],
    [{ actors: ['cursor'] }, 'cursor-2', false],
    [{ actors: ['cursor'] }, null, false],
  ])('a grant that asks %j, somebody who says %j: %j', (rule, actor, may) => {
    expect(permit([rule], actor).kind).toBe(may ? 'permitted' : 'other-actor');
  });

  test('one grant that fits is enough, and the one with the most time counts', () => {
    const rules = [{ actors: ['cursor'], maxTtlSeconds: 60 }, { maxTtlSeconds: 600 }, { actors: ['codex'] }];
    expect(permit(rules, 'cursor')).toEqual({ kind: 'permitted', ttlMillisMax: 600_000 });
    expect(permit(rules, 'codex')).toEqual({ kind: 'permitted', ttlMillisMax: undefined });
  });
});

describe('how long a session lives', () => {
  const now = 1_000_000;
  const policy = { keepCredential: true };
  const asked = (changes: Partial<TermsAsked> = {}): TermsAsked => ({
    now,
    principal: { approvedAt: now - 100 },
    ttlMillis: undefined,
    isCredentialKept: false,
    policy,
    ttlMillisMax: undefined,
    line: undefined,
    ...changes,
  });
  const line = (changes: Partial<SessionLine> = {}): SessionLine => ({
    startedAt: now - 500,
    predecessorStartedAt: now - 50,
    predecessorExpiresAt: undefined,
    ...changes,
  });

  test('without policy or wish it has no end of its own', () =>
    expect(decideTerms(asked())).toMatchObject({ expiresAt: undefined, isRenewable: false }));

  test('the shortest of wish, gateway and grant', () => {
    expect(decideTerms(asked({ ttlMillis: 10 })).expiresAt).toBe(now + 10);
    const bounded = asked({ ttlMillis: 5000, policy: { ...policy, maxTtl: 1000 }, ttlMillisMax: 400 });
    expect(decideTerms(bounded)).toMatchObject({ expiresAt: now + 300, isRenewable: true });
  });

  test('an approval that is too old opens nothing, new or succeeding', () => {
    for (const one of [undefined, line()]) {
      const late = asked({ policy: { ...policy, maxTtl: 100 }, line: one });
      expect(() => decideTerms(late)).toThrow(expect.objectContaining({ code: 'HOOP_SIGN_IN' }));
    }
  });

  test('where no person approves it counts from the first session of the line', () => {
    const token = { principal: { approvedAt: null }, policy: { ...policy, maxTtl: 1000 } };
    expect(decideTerms(asked(token))).toMatchObject({ expiresAt: now + 1000, isRenewable: false });
    expect(decideTerms(asked({ ...token, line: line() })).expiresAt).toBe(now + 500);
    const over = asked({ ...token, line: line({ startedAt: now - 1000 }) });
    expect(() => decideTerms(over)).toThrow(expect.objectContaining({ code: 'HOOP_SESSION_ENDED' }));
  });

  test('a successor has its predecessor’s end, unless a person approved since', () => {
    const wish = { ttlMillis: 5000, line: line({ predecessorExpiresAt: now + 7 }) };
    expect(decideTerms(asked(wish)).expiresAt).toBe(now + 7);
    expect(decideTerms(asked({ ...wish, principal: { approvedAt: now - 1 } })).expiresAt).toBe(now + 5000);
  });
});
