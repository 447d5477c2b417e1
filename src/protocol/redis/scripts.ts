import { createHash } from 'node:crypto';
import type { Sequence } from '../event.ts';
import { latin1 } from './messages.ts';

/** Scripts of one stream that are remembered; a program has tens. Of one that was forgotten the client is asked for the body again. */
const scriptsMax = 10_000;
/** Function libraries of one stream, with their code: an application has a few. */
const librariesMax = 100;

const sha1 = (body: Uint8Array): string => createHash('sha1').update(body).digest('hex');

interface Library {
  entry: Sequence;
  code: string;
}

/**
 * What the names of scripts and functions stand for. A SHA is its body's own: once the body went through here, recorded, the name can
 * mean nothing else, whether the server took it or not. A function's name is the server's, and other connections can give it another
 * meaning: it is known only once the server has taken the library from this stream.
 */
export class Scripts {
  readonly #bodies = new Map<string, Sequence>();
  readonly #libraries = new Map<string, Library>();

  /** A body was recorded by that entry. */
  saw(body: Uint8Array, entry: Sequence): void {
    const sha = sha1(body);
    this.#bodies.delete(sha);
    this.#bodies.set(sha, entry);
    if (this.#bodies.size > scriptsMax) this.#bodies.delete(this.#bodies.keys().next().value!);
  }

  /** The entry that has the body. The server takes a SHA in either case. */
  bodyOf(sha: Uint8Array): Sequence | undefined {
    return this.#bodies.get(latin1(sha).toLowerCase());
  }

  /** The server answered FUNCTION LOAD with the library's name. */
  loaded(code: Uint8Array, entry: Sequence): void {
    const text = latin1(code);
    const name = /^#![^\n]*\bname=([^\s]+)/i.exec(text)?.[1] ?? '';
    this.#libraries.delete(name);
    this.#libraries.set(name, { entry, code: text });
    if (this.#libraries.size > librariesMax) this.#libraries.delete(this.#libraries.keys().next().value!);
  }

  /** The library that was loaded last of those that name this function. Function names are letters, digits and underscores. */
  libraryOf(functionName: Uint8Array): Sequence | undefined {
    const name = latin1(functionName);
    if (!/^\w+$/.test(name)) return undefined;
    const named = new RegExp(`(['"])${name}\\1`);
    return [...this.#libraries.values()].findLast(({ code }) => named.test(code))?.entry;
  }
}
