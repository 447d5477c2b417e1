import { sessionIdBytes } from '../recording/session-id.ts';
import type { Duplex } from '../shared/duplex.ts';
import { witnessUnknownSchema } from '../shared/handshake.ts';
import type { Log } from '../shared/log.ts';
import { encodeWitnessJson, readWitnessMessages, witnessMessageTypes } from '../tunnel/witness-frame.ts';
import type { Witness } from './witness.ts';

/** The agent's side of the stream on which the gateway shows what it recorded. Resolves when it ends; never rejects. */
export async function serveWitness(stream: Duplex, witness: Witness, log: Log): Promise<void> {
  try {
    await stream.write(encodeWitnessJson({ kind: 'open', sessions: witness.unsealed }));
    for await (const { type, body } of readWitnessMessages(stream)) {
      if (type === witnessMessageTypes.json) {
        const said = witnessUnknownSchema.safeParse(JSON.parse(body.toString('utf8')));
        if (said.success) witness.missing(said.data.session);
      }
      if (type !== witnessMessageTypes.entry) continue; // of a newer gateway
      const refused = witness.take(body.subarray(0, sessionIdBytes), body.subarray(sessionIdBytes));
      if (refused) await stream.write(encodeWitnessJson({ kind: 'refused', ...refused }));
    }
    stream.end();
  } catch (error) {
    log.warn(
      { error: error instanceof Error ? error.message : String(error) },
      'the gateway’s record can no longer be seen',
    );
    stream.reset('the witness cannot read this');
  }
}
