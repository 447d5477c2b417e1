import type { Grant } from '../shared/api.ts';
import { spanText } from '../shared/span.ts';

/** What a grant asks besides, in a few words; `-` for nothing. */
export function grantRules({ requireActor, actors, maxTtlSeconds }: Grant): string {
  const rules = [
    ...(actors ? [`by ${actors.join(' or ')}`] : requireActor ? ['by a coding agent'] : []),
    ...(maxTtlSeconds === undefined ? [] : [`for ${spanText(maxTtlSeconds * 1000)}`]),
  ];
  return rules.join(', ') || '-';
}
