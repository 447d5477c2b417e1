import type { Statement } from '../../shared/api.ts';
import { isShown, type Filter } from './state.ts';
import type { Track } from './track.ts';

/** In the text, the parameters and what came of it; upper and lower case are one. */
export function matches(
  track: Track & { statement(at: number): Statement },
  filter: Filter,
  at: number,
  search: string,
): boolean {
  if (!isShown(track, filter, at)) return false;
  const wanted = search.toLowerCase();
  const { text, parameters, arguments: words, outcome, verb } = track.statement(at);
  const has = (part: string | null | undefined): boolean => part?.toLowerCase().includes(wanted) ?? false;
  return (
    has(text) ||
    has(verb) ||
    has(outcome?.errorCode) ||
    has(outcome?.errorMessage) ||
    has(outcome?.tag) ||
    parameters.some(({ shown }) => has(shown)) ||
    (words?.some(has) ?? false)
  );
}
