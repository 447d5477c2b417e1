import { createReadStream } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Entry } from '../../recording/entry.ts';
import { entriesOf } from '../api/sessions.ts';
import type { GatewayApi } from '../gateway-api.ts';
import { recordedEntries } from '../recorded-entries.ts';

/**
 * A recording that is read more than once: the gateway is asked once, and no request stays open while statements run. It stands in a
 * file that only its owner can read, until this is disposed of.
 */
export class EntrySpool implements AsyncDisposable {
  readonly #session: string;
  readonly #folder: string;

  private constructor(session: string, folder: string) {
    this.#session = session;
    this.#folder = folder;
  }

  static async of(api: GatewayApi, session: string): Promise<EntrySpool> {
    const spool = new EntrySpool(session, await mkdtemp(join(tmpdir(), 'hoop-replay-')));
    try {
      await spool.#fill(entriesOf(api, session));
      return spool;
    } catch (error) {
      await spool[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** From the first on; the chain is checked on the way. */
  entries(): AsyncGenerator<Entry> {
    const chunks = createReadStream(this.#file) as AsyncIterable<Uint8Array>;
    return recordedEntries(this.#session, chunks);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  get #file(): string {
    return join(this.#folder, 'entries');
  }

  async #fill(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    await using file = await open(this.#file, 'wx', 0o600);
    for await (const chunk of chunks) await file.appendFile(chunk);
  }
}
