import { fetch } from 'undici';

export interface Shown {
  status: number;
  text: string;
  headers: { get(name: string): string | null };
}

/** A browser without scripts: keeps cookies, reads forms, posts what a person typed. */
export class BrowserForm {
  readonly #origin: string;
  #cookie = '';
  hidden: Record<string, string> = {};

  constructor(origin: string) {
    this.#origin = origin;
  }

  async open(path: string, headers: Record<string, string> = {}): Promise<Shown> {
    return this.#shown(await fetch(this.#origin + path, { headers: { ...this.#cookies(), ...headers } }));
  }

  async post(path: string, typed: Record<string, string>, headers: Record<string, string> = {}): Promise<Shown> {
    const form = new URLSearchParams({ ...this.hidden, ...typed });
    const answer = await fetch(this.#origin + path, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        origin: this.#origin,
        'sec-fetch-site': 'same-origin',
        ...this.#cookies(),
        ...headers,
      },
      body: form.toString(),
    });
    return this.#shown(answer);
  }

  forgetCookies(): void {
    this.#cookie = '';
  }

  #cookies(): Record<string, string> {
    return this.#cookie === '' ? {} : { cookie: this.#cookie };
  }

  async #shown(answer: Awaited<ReturnType<typeof fetch>>): Promise<Shown> {
    const [set] = answer.headers.getSetCookie();
    if (set !== undefined) this.#cookie = set.split(';')[0] ?? '';
    const text = await answer.text();
    const fields = [...text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)];
    if (fields.length > 0) this.hidden = Object.fromEntries(fields.map(([, name, value]) => [name, value]));
    return { status: answer.status, text, headers: answer.headers };
  }
}
