let segmenter: Intl.Segmenter | undefined;
/** Made when the first text needs it: that takes longer than most commands' own work. */
const graphemes = (text: string) => (segmenter ??= new Intl.Segmenter('en', { granularity: 'grapheme' })).segment(text);

// oxlint-disable-next-line no-control-regex -- our own colours, not recorded text
const colour = /\u001B\[[0-9;]*m/g;
const wide =
  /[\u1100-\u115F\u2E80-\u303E\u3041-\u33FF\u3400-\u4DBF\u4E00-\u9FFF\uA000-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6]|\p{Emoji_Presentation}|[\u{20000}-\u{3FFFD}]/u;

/** Columns of a terminal that a text takes: colours none, East Asian wide characters and emoji two. */
export function displayWidth(text: string): number {
  const plain = text.replace(colour, '');
  if (/^[\u0020-\u007E]*$/.test(plain)) return plain.length;
  let columns = 0;
  for (const { segment } of graphemes(plain)) columns += widthOf(segment);
  return columns;
}

const widthOf = (grapheme: string): number => (/^[\p{M}\p{Cf}]+$/u.test(grapheme) ? 0 : wide.test(grapheme) ? 2 : 1);

/** Cut to a width, with an ellipsis where something is missing. For text without colours. */
export function cutToWidth(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let cut = '';
  let columns = 0;
  for (const { segment } of graphemes(text)) {
    columns += widthOf(segment);
    if (columns > width - 1) break;
    cut += segment;
  }
  return `${cut}…`;
}

export const padToWidth = (text: string, width: number): string =>
  text + ' '.repeat(Math.max(0, width - displayWidth(text)));
