import { isShown, type Filter } from './state.ts';
import type { Track } from './track.ts';

const blocks = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

export interface DensityCell {
  text: string;
  /** Something failed there. */
  hasError: boolean;
}

/** How much happened when, over the width of the screen: what is shown, by time. */
export function density(track: Track, filter: Filter, width: number): DensityCell[] {
  const counts = new Float64Array(width);
  const errors = new Uint8Array(width);
  const total = totalMillis(track);
  for (let at = 0; at < track.length; at++) {
    if (!isShown(track, filter, at)) continue;
    const cell = cellOf(track.millis(at), total, width);
    counts[cell] = (counts[cell] ?? 0) + 1;
    if (track.isError(at)) errors[cell] = 1;
  }
  const most = Math.max(1, ...counts);
  return Array.from(counts, (count, cell) => ({ text: blockOf(count, most), hasError: errors[cell] === 1 }));
}

/** By logarithm: one statement is to be seen beside a thousand. */
function blockOf(count: number, most: number): string {
  if (count === 0) return blocks[0]!;
  const level = Math.ceil((Math.log1p(count) / Math.log1p(most)) * (blocks.length - 1));
  return blocks[Math.max(1, level)]!;
}

export const totalMillis = (track: Track): number => (track.length === 0 ? 0 : track.millis(track.length - 1));

export const cellOf = (millis: number, total: number, width: number): number =>
  total === 0 ? 0 : Math.min(width - 1, Math.floor((millis / total) * width));
