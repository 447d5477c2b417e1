import { createHash } from 'node:crypto';
import { html, Markup } from './html.ts';

const style = `
:root{color-scheme:light dark;--page:#eef1f5;--card:#fff;--ink:#14181f;--soft:#55606f;--line:#d5dbe3;--edge:#838d9b;--field:#fff;--accent:#0b5fd0;--on-accent:#fff;--warn-ink:#8a1c13;--warn:#fdecea;--good-ink:#10572c;--good:#e5f5ea}
@media (prefers-color-scheme:dark){:root{--page:#0e1116;--card:#171b22;--ink:#e8ebf0;--soft:#a2adbb;--line:#323a46;--edge:#6c788a;--field:#0e1116;--accent:#7db2ff;--on-accent:#08182e;--warn-ink:#ffb4aa;--warn:#3a1714;--good-ink:#93e0ad;--good:#12301d}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:flex;flex-direction:column;align-items:center;justify-content:center;padding:1.5rem 1rem;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif}
main{width:100%;max-width:29rem;background:var(--card);border:1px solid var(--line);border-radius:14px;padding:1.75rem 1.75rem 1.9rem;box-shadow:0 1px 2px rgba(10,20,40,.05),0 12px 32px rgba(10,20,40,.07)}
header{display:flex;align-items:center;gap:.6rem;margin-bottom:1.4rem;font-weight:650;letter-spacing:.01em}
header i{width:1.15rem;height:1.15rem;border:.24rem solid var(--accent);border-radius:50%}
header span{margin-left:auto;font-weight:400;font-size:.82rem;color:var(--soft);overflow-wrap:anywhere;text-align:right}
h1{font-size:1.4rem;line-height:1.25;margin:0 0 .6rem;letter-spacing:-.01em}
p{margin:0 0 1rem;color:var(--soft)}
p strong,dd{color:var(--ink)}
dl{margin:0 0 1.1rem;border:1px solid var(--line);border-radius:10px;overflow:hidden}
dl div{display:flex;gap:1rem;padding:.45rem .85rem}
dl div+div{border-top:1px solid var(--line)}
dt{flex:0 0 4.6rem;color:var(--soft)}
dd{flex:1;margin:0;min-width:0;overflow-wrap:anywhere}
small{color:var(--soft);font-size:.85em}
dd small{float:right;margin-left:.75rem;line-height:1.75}
input[readonly]{background:var(--page);color:var(--soft)}
input[aria-invalid]{border-color:var(--warn-ink)}
label{display:block;font-weight:600;margin:0 0 .3rem}
label small{font-weight:400}
input{display:block;width:100%;font:inherit;color:inherit;background:var(--field);border:1px solid var(--edge);border-radius:9px;padding:.62rem .75rem;margin:0 0 1rem}
input.code{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"Liberation Mono",monospace;font-size:1.5rem;letter-spacing:.14em;text-align:center;text-transform:uppercase}
code{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"Liberation Mono",monospace;color:var(--ink);background:var(--page);border:1px solid var(--line);border-radius:6px;padding:.1em .4em;overflow-wrap:anywhere}
.command code{display:block;padding:.6rem .75rem}
.codeword{font-size:1.05rem;letter-spacing:.1em;font-weight:600}
.buttons{display:flex;gap:.75rem;margin-top:.4rem}
button{flex:1;font:inherit;font-weight:600;padding:.68rem 1rem;border-radius:9px;border:1px solid var(--accent);background:var(--accent);color:var(--on-accent);cursor:pointer}
button.quiet{background:transparent;border-color:var(--edge);color:var(--ink)}
a.button{display:block;flex:1;text-align:center;text-decoration:none;font-weight:600;padding:.68rem 1rem;border-radius:9px;background:var(--accent);color:var(--on-accent)}
.or{display:flex;align-items:center;gap:.8rem;margin:1.2rem 0 1rem;color:var(--soft);font-size:.9rem}
.or::before,.or::after{content:"";flex:1;border-top:1px solid var(--line)}
button:hover{filter:brightness(1.07)}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
.note{border-radius:9px;padding:.65rem .85rem;margin:0 0 1.1rem}
.bad{background:var(--warn);color:var(--warn-ink)}
.good{background:var(--good);color:var(--good-ink)}
.note strong{color:inherit}
@media (max-width:30rem){body{justify-content:flex-start;padding:.75rem}main{padding:1.25rem}dl div{padding:.4rem .7rem;gap:.6rem}}
@media (prefers-reduced-motion:no-preference){button{transition:filter .12s}}
`;

/** One piece, because the policy allows exactly these bytes. */
const styleTag = new Markup(['<style>', style, '</style>'].join(''));
const styleHash = createHash('sha256').update(style).digest('base64');

/** Nothing may load but this one stylesheet; nothing may frame the page; forms go only to us. */
export const pageHeaders: Record<string, string> = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': `default-src 'none'; style-src 'sha256-${styleHash}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
  'x-frame-options': 'DENY',
  // The path holds one-time codes; Origin must still be sent with our own forms, so not `no-referrer`.
  'referrer-policy': 'same-origin',
  'cache-control': 'no-store',
  'cross-origin-opener-policy': 'same-origin',
};

export interface Page {
  title: string;
  /** The gateway's host, so that people can see where they type a password. */
  host: string;
  body: Markup;
  /** Not by a redirect: browsers hold what follows a form to `form-action`. */
  goOn?: string;
}

export function layout({ title, host, body, goOn }: Page): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        ${goOn === undefined ? undefined : html`<meta http-equiv="refresh" content="0;url=${goOn}" />`}
        <title>${title} · hoop</title>
        ${styleTag}
      </head>
      <body>
        <main>
          <header><i aria-hidden="true"></i>hoop<span>${host}</span></header>
          ${body}
        </main>
      </body>
    </html> `.text;
}

/** What went wrong or right, announced to screen readers; the field at fault is described by it. */
export const note = (kind: 'bad' | 'good', text: string | undefined): Markup | undefined =>
  text === undefined
    ? undefined
    : html`<p id="note" class="note ${kind}" role="${kind === 'bad' ? 'alert' : 'status'}">${text}</p>`;

/** For the field that the note above is about: the focus goes there, and a screen reader says what is wrong with it. */
export const atFault = (isAtFault: boolean): Markup =>
  isAtFault ? html`autofocus aria-invalid="true" aria-describedby="note"` : html``;
