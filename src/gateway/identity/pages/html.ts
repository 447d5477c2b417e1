/** Markup that is safe to send: only `html` makes it, and `html` escapes every value that is not Markup itself. */
export class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Escaped for text and quoted attributes; control and bidirectional characters are shown as what they are. */
function escapeHtml(text: string): string {
  return text
    .replaceAll(/[&<>"']/g, (character) => entities[character] ?? '')
    .replaceAll(
      /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
      (character) => `\\u${character.codePointAt(0)?.toString(16).padStart(4, '0')}`,
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
