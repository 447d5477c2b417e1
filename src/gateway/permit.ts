import type { GrantRules } from '../store/registry/grants.ts';

/** What the grants of a user say of one resource and one (declared) coding agent. */
export type Permit =
  | { kind: 'permitted'; ttlMillisMax: number | undefined }
  /** There is a grant, but not for whoever this says it is. Empty `actors`: any that says who it is. */
  | { kind: 'other-actor'; actors: string[] }
  | { kind: 'none' };

/** Grants add up: one that fits is enough, and of those that fit the most generous counts. */
export function permit(rules: readonly GrantRules[], actor: string | null): Permit {
  if (rules.length === 0) return { kind: 'none' };
  const fitting = rules.filter((rule) => fits(rule, actor));
  if (fitting.length === 0) return { kind: 'other-actor', actors: rules.flatMap(({ actors = [] }) => actors) };
  const seconds = fitting.map(({ maxTtlSeconds = Infinity }) => maxTtlSeconds);
  const most = Math.max(...seconds) * 1000;
  return { kind: 'permitted', ttlMillisMax: Number.isFinite(most) ? most : undefined };
}

function fits({ requireActor = false, actors }: GrantRules, actor: string | null): boolean {
  if (actor === null) return !requireActor && actors === undefined;
  return actors === undefined || actors.some((name) => name.toLowerCase() === actor.toLowerCase());
}
