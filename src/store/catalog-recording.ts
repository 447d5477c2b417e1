import type { Protocol } from '../protocol/protocol.ts';
import { protocolNamed } from '../protocol/registry.ts';
import type { Entry } from '../recording/entry.ts';
import { SessionLedger } from '../recording/ledger.ts';
import { statementsOf } from '../recording/timeline.ts';
import type { Catalog } from './catalog.ts';

/**
 * Puts a recording into the catalog, in one pass over its entries. The only way in for what has ended, so that an index made anew has
 * the same rows. Of a damaged recording (the entries end in an error) it keeps what can be read, then rejects with that error.
 */
export async function catalogRecording(catalog: Catalog, id: string, entries: AsyncIterable<Entry>): Promise<void> {
  const ledger = new SessionLedger();
  let endedMicros = 0;
  let begun = false;
  let protocol: Protocol | undefined;
  const seen = async function* (): AsyncGenerator<Entry> {
    for await (const entry of entries) {
      const { header, body } = entry;
      if (body.kind === 'genesis') catalog.openedBy(body, header.timeMicros);
      if (body.kind === 'genesis') protocol = protocolNamed(body.protocol);
      begun ||= body.kind === 'genesis';
      ledger.add(header.seq, header.stream, body);
      // A session that was interrupted ended with its last durable entry, not when somebody found it.
      if (!ledger.interrupted) endedMicros = header.timeMicros;
      yield entry;
    }
  };
  let damage: unknown;
  try {
    const renderCommand = (words: readonly Uint8Array[]) => protocol?.renderCommand?.(words);
    await catalog.index(id, statementsOf(seen(), { session: id, renderParameter: () => '', renderCommand }), (text) =>
      protocol?.classify?.(text),
    );
  } catch (error) {
    damage = error;
  }
  const whole = ledger.sealReason !== undefined && damage === undefined;
  if (begun) {
    catalog.closed(id, {
      ...ledger.counters,
      endedAt: new Date(endedMicros / 1000).toISOString(),
      state: whole && !ledger.interrupted ? 'sealed' : 'interrupted',
      reason: whole ? ledger.sealReason! : 'damaged',
    });
  }
  if (damage !== undefined) throw damage;
}
