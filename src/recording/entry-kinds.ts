import { entryKinds, type EntryKind } from './entry.ts';

export const kindNumbers = Object.fromEntries(entryKinds.map((kind, index) => [kind, index + 1])) as Record<
  EntryKind,
  number
>;

/** Undefined for a number that no kind has. */
export const kindNamed = (number: number): EntryKind | undefined => entryKinds[number - 1];
