import { fetch } from 'undici';

export interface Seen {
  url: string;
  status: number;
  text: string;
}

/** A browser without scripts at several sites: keeps each host's cookies, follows redirects and forms, stops where a test says so. */
export class Visitor {
  readonly #cookies = new Map<string, Map<string, string>>();
  seen: Seen = { url: '', status: 0, text: '' };

  /** Follows redirects, except to an address that `stop` matches: that one is returned unvisited. */
  async open(url: string, stop?: RegExp, init: { method?: string; body?: string } = {}): Promise<string> {
    let next: string | undefined = url;
    let request = init;
    while (next !== undefined) {
      if (stop?.test(next)) return next;
      const { host, origin } = new URL(next);
      const jar = this.#cookies.get(host) ?? new Map<string, string>();
      this.#cookies.set(host, jar);
      const answer: Awaited<ReturnType<typeof fetch>> = await fetch(next, {
        ...request,
        redirect: 'manual',
        headers: {
          cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; '),
          ...(request.body === undefined
            ? {}
            : { 'content-type': 'application/x-www-form-urlencoded', origin, 'sec-fetch-site': 'same-origin' }),
        },
      });
      for (const line of answer.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
        if (value === '') jar.delete(name);
        else jar.set(name, value);
      }
      const to = answer.headers.get('location');
      this.seen = { url: next, status: answer.status, text: await answer.text() };
      next = to === null ? undefined : new URL(to, next).href;
      request = {};
    }
    return this.seen.url;
  }

  /** Posts the form of the page that is open, with what a person typed and chose. */
  submit(typed: Record<string, string>, stop?: RegExp): Promise<string> {
    const { text, url } = this.seen;
    const form = /<form method="post"(?: action="([^"]*)")?/.exec(text);
    if (!form) throw new Error(`no form at ${url}: ${text}`);
    const inForm = text.slice(form.index, text.indexOf('</form>', form.index));
    const hidden = [...inForm.matchAll(/type="hidden" name="([^"]+)" value="([^"]*)"/g)];
    const fields = Object.fromEntries(
      hidden.map(([, name = '', value = '']) => [name, value.replaceAll('&amp;', '&')]),
    );
    const body = new URLSearchParams({ ...fields, ...typed }).toString();
    return this.open(new URL(form[1] ?? url, url).href, stop, { method: 'POST', body });
  }

  /** Where the page that is open goes on to by itself. */
  get onward(): string {
    const to = /http-equiv="refresh" content="0;url=([^"]+)"/.exec(this.seen.text)?.[1];
    if (to === undefined) throw new Error(`the page at ${this.seen.url} goes nowhere: ${this.seen.text}`);
    return to.replaceAll('&amp;', '&');
  }

  forget(host: string): void {
    this.#cookies.delete(host);
  }
}
