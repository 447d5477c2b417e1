/** Markup that is safe to send: only `html` makes it, and `html` escapes every value that is not Markup itself. */
export class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Escaped for text and quoted attributes; control and bidirectional characters are shown as what they are. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll(/[&<>"']/g, (character) => entities[character] ?? '')
    .replaceAll(
      /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g,
      (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
}

type Part = Markup | string | number | undefined | false;

export function html(strings: TemplateStringsArray, ...parts: (Part | Part[])[]): Markup {
  const written = parts.map((part) => (Array.isArray(part) ? part.map(write).join('') : write(part)));
  return new Markup(strings.map((text, index) => text + (written[index] ?? '')).join(''));
}

function write(part: Part): string {
  if (part instanceof Markup) return part.text;
  return part === undefined || part === false ? '' : escapeHtml(String(part));
}
