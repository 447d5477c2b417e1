import { createHash } from 'node:crypto';
import type { Sequence } from '../event.ts';
import { latin1 } from './messages.ts';

/** Scripts of one stream that are remembered; a program has tens. Of one that was forgotten the client is asked for the body again. */
const scriptsMax = 10_000;
/** Names of libraries and functions of one stream that are remembered; an application has a few. */
const namesMax = 10_000;
/** Code on its way to the server, of one stream; a library has some kilobytes. */
const offeredBytesMax = 8 * 1024 * 1024;

const sha1 = (body: Uint8Array): string => createHash('sha1').update(body).digest('hex');

interface Library {
  entry: Sequence;
  functions: ReadonlySet<string>;
}

/**
 * What the names of scripts and functions stand for. A SHA is its body's own: once the body went through here, recorded, the name can
 * mean nothing else, whether the server took it or not. A function's name is the server's, and other connections can give it another
 * meaning: it is known only once the server has taken the library from this stream.
 */
export class Scripts {
  readonly #bodies = new Map<string, Sequence>();
  /** Code that was sent to FUNCTION LOAD, by its entry: the server's answer is to come, or was an error. */
  readonly #offered = new Map<Sequence, string>();
  #offeredBytes = 0;
  readonly #libraries = new Map<string, Library>();
  /** Of libraries and their functions. */
  #nameCount = 0;

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

  /** Code was recorded by that entry, and sent. Of more than is kept, the names stay unknown. */
  offered(code: Uint8Array, entry: Sequence): void {
    if (code.length > offeredBytesMax) return;
    this.#offered.set(entry, latin1(code));
    this.#offeredBytes += code.length;
    for (const oldest of this.#offered.keys()) {
      if (this.#offeredBytes <= offeredBytesMax) break;
      this.#takeOffered(oldest);
    }
  }

  /** The server took what that entry has; it answers with the library's name, which is short. */
  loaded(entry: Sequence, name: Uint8Array | undefined): void {
    const code = this.#takeOffered(entry);
    if (code === undefined || !name) return;
    const library = latin1(name);
    this.#forget(library);
    const functions = namesIn(code);
    this.#libraries.set(library, { entry, functions });
    this.#nameCount += functions.size + 1;
    for (const oldest of this.#libraries.keys()) {
      if (this.#nameCount <= namesMax) break;
      this.#forget(oldest);
    }
  }

  /** The library that was loaded last of those that name this function; the server takes a name in either case. */
  libraryOf(functionName: Uint8Array): Sequence | undefined {
    const name = latin1(functionName).toLowerCase();
    return [...this.#libraries.values()].findLast(({ functions }) => functions.has(name))?.entry;
  }

  #takeOffered(entry: Sequence): string | undefined {
    const code = this.#offered.get(entry);
    this.#offered.delete(entry);
    this.#offeredBytes -= code?.length ?? 0;
    return code;
  }

  #forget(library: string): void {
    const known = this.#libraries.get(library);
    if (!known) return;
    this.#nameCount -= known.functions.size + 1;
    this.#libraries.delete(library);
  }
}

/** All that stands in quotes (or `[[ ]]`) and could be a function's name: letters, digits and underscores. */
function namesIn(code: string): Set<string> {
  const names = new Set<string>();
  for (const [quoted] of code.matchAll(/'\w{1,64}'|"\w{1,64}"|\[\[\w{1,64}\]\]/g)) {
    if (names.size === namesMax - 1) break;
    names.add(quoted.replaceAll(/\W/g, '').toLowerCase());
  }
  return names;
}
