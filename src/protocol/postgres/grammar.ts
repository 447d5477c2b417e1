import type { GrammarModule } from 'libpg-query/wasm/libpg-query.js';

/** A node of PostgreSQL's parse tree as libpg-query gives it: `{ SelectStmt: { … } }`. */
export type Tree = null | boolean | number | string | Tree[] | { [key: string]: Tree };

/** A token of PostgreSQL's scanner; offsets in bytes. Comments are tokens too. */
export interface Token {
  start: number;
  end: number;
  text: string;
  tokenName: string;
}

/** The text is none that this grammar knows. */
export class NotParsed extends Error {
  override readonly name = 'NotParsed';
}

/** The scanner leaves them as they are in the JSON that it makes of a token's text. */
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const control = /[\u0000-\u001F]/g;
const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** Past it an instance is given up: WebAssembly memory grows and never shrinks. */
const instanceBytesMax = 256 * 1024 * 1024;

/**
 * PostgreSQL's own parser, as WebAssembly. A text that nests too deep overflows the stack and leaves the instance unfit for use, so
 * each fault of that kind costs an instance: a spare one takes its place at once, and a new one is made.
 */
class Grammar {
  #live: GrammarModule | undefined;
  #spare: GrammarModule | undefined;
  #making: Promise<void> | undefined;

  /** Resolves when texts can be parsed; until then every text is `NotParsed`. */
  async load(): Promise<void> {
    while (!this.#live || !this.#spare) await this.#make();
  }

  /** Throws NotParsed. `text` is valid UTF-8 without NUL. */
  parse(text: Uint8Array): Tree {
    return this.#call(text, (module, pointer) => {
      const result = module._wasm_parse_query_raw(pointer);
      if (result === 0) throw new NotParsed('no memory');
      try {
        // PgQueryParseResult: parse tree, stderr, error. No message is read: it quotes the text.
        if (module.getValue(result + 8, 'i32') !== 0) throw new NotParsed('not SQL');
        return JSON.parse(module.UTF8ToString(module.getValue(result, 'i32'))) as Tree;
      } finally {
        module._wasm_free_parse_result(result);
      }
    });
  }

  /** Throws NotParsed. */
  scan(text: Uint8Array): Token[] {
    return this.#call(text, (module, pointer) => {
      const result = module._wasm_scan(pointer);
      if (result === 0) throw new NotParsed('no memory');
      try {
        const json = module.UTF8ToString(result);
        if (!json.startsWith('{')) throw new NotParsed('not SQL');
        return (JSON.parse(json.replaceAll(control, escaped)) as { tokens: Token[] }).tokens;
      } finally {
        module._wasm_free_string(result);
      }
    });
  }

  #call<Result>(text: Uint8Array, act: (module: GrammarModule, pointer: number) => Result): Result {
    const module = this.#live;
    if (!module) throw new NotParsed('the grammar is not loaded');
    try {
      const pointer = module._malloc(text.length + 1);
      module.HEAPU8.set(text, pointer);
      module.HEAPU8[pointer + text.length] = 0;
      try {
        return act(module, pointer);
      } finally {
        module._free(pointer);
      }
    } catch (error) {
      if (error instanceof NotParsed) throw error;
      this.#replace();
      throw new NotParsed('the grammar failed');
    } finally {
      if (module === this.#live && module.HEAPU8.length > instanceBytesMax) this.#replace();
    }
  }

  #replace(): void {
    this.#live = this.#spare;
    this.#spare = undefined;
    // Without a parser texts that name a secret are withheld whole, as those that cannot be parsed.
    this.load().catch(() => undefined);
  }

  #make(): Promise<void> {
    this.#making ??= this.#instance().finally(() => (this.#making = undefined));
    return this.#making;
  }

  async #instance(): Promise<void> {
    const { default: create } = await import('libpg-query/wasm/libpg-query.js');
    const silent = () => undefined; // what it prints may quote a text
    const module = await create({ print: silent, printErr: silent });
    if (this.#live) this.#spare = module;
    else this.#live = module;
  }
}

/** One for all streams: it keeps nothing between two calls. */
export const grammar = new Grammar();
