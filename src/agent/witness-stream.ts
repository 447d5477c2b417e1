import { sessionIdBytes } from '../recording/session-id.ts';
import type { Duplex } from '../shared/duplex.ts';
import type { Log } from '../shared/log.ts';
import { toWitnessSchema } from '../shared/witness-messages.ts';
import { encodeWitnessJson, readWitnessMessages, witnessMessageTypes } from '../tunnel/witness-frame.ts';
import type { Witness } from './witness.ts';

/** The agent's side of the stream on which the gateway shows what it recorded. Resolves when it ends; never rejects. */
export async function serveWitness(stream: Duplex, witness: Witness, log: Log): Promise<void> {
  try {
    const { unsealed, cosigner } = witness;
    cosigner.linked();
    await stream.write(encodeWitnessJson({ kind: 'open', sessions: unsealed, cosigned: cosigner.size }));
    await readWitnessMessages(stream, (type, body) => {
      // What is asked of the cosigner waits for the disk, and entries must not wait for that.
      if (type === witnessMessageTypes.json) void heard(body, stream, witness, log);
      if (type !== witnessMessageTypes.entry) return; // of a newer gateway
      cosigner.sawEntries(performance.now());
      const refused = witness.take(body.subarray(0, sessionIdBytes), body.subarray(sessionIdBytes));
      if (refused) stream.write(encodeWitnessJson({ kind: 'refused', ...refused })).catch(() => undefined); // the link is closing
    });
    stream.end();
  } catch (error) {
    log.warn(
      { error: error instanceof Error ? error.message : String(error) },
      'the gateway’s record can no longer be seen',
    );
    stream.reset('the witness cannot read this');
  }
}

/** Never rejects: a gateway that talks nonsense is not worth the end of the stream, on which entries go on. */
async function heard(body: Buffer, stream: Duplex, witness: Witness, log: Log): Promise<void> {
  try {
    const said = toWitnessSchema.safeParse(JSON.parse(body.toString('utf8')));
    if (!said.success) return;
    const { data: message } = said;
    if (message.kind === 'unknown') witness.missing(message.session);
    else if (message.kind === 'log') await witness.cosigner.pin(message.key);
    else await stream.write(encodeWitnessJson(await witness.cosigner.answer(message)));
  } catch (error) {
    log.error({ error: String(error) }, 'nothing is cosigned: what the gateway said could not be answered');
  }
}
