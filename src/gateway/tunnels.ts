import type { Duplex } from '../shared/duplex.ts';
import { UserError } from '../shared/errors.ts';
import { sessionCloseSchema, tunnelOpenSchema } from '../shared/handshake.ts';
import type { Log } from '../shared/log.ts';
import { handshakeVersion } from '../shared/version.ts';
import { checkVersion, readControl, refuseControl, writeControl } from '../tunnel/control.ts';
import type { Connection } from '../tunnel/websocket.ts';
import type { Principal } from './identity/principal.ts';
import { accessEnded, clientClosed, clientLost, type LiveSessions } from './live-sessions.ts';
import type { GatewaySession } from './session.ts';
import { actWhen } from './session-terms.ts';

/** Serves one tunnel: one session from its first control message to its end. Never rejects. */
export async function serveTunnel(
  connection: Connection,
  principal: Principal,
  sessions: LiveSessions,
  log: Log,
): Promise<void> {
  let control: Duplex | undefined;
  try {
    control = await connection.accept();
    const { session, rest } = await openSession(control, principal, sessions);
    connection.onStream = (duplex) => session.accept(duplex);
    await untilEnd({ connection, control: rest, session, principal });
  } catch (error) {
    const refusal = asUserError(error, log);
    if (control) await refuseControl(control, refusal);
  }
  connection.close('session over');
}

async function openSession(control: Duplex, principal: Principal, sessions: LiveSessions) {
  const { value: request, rest } = await readControl(control, tunnelOpenSchema);
  checkVersion(request.version, handshakeVersion, { theirs: 'client', ours: 'gateway' });
  const session = await sessions.open(principal, request);
  await writeControl(control, {
    kind: 'opened',
    version: handshakeVersion,
    session: session.id,
    protocol: session.parts.protocol.name,
    user: principal.user,
    credential: session.parts.credential,
    expiresAt: principal.expiresAt === null ? null : new Date(principal.expiresAt).toISOString(),
    secondsLeft: session.secondsLeft ?? null,
  });
  return { session, rest };
}

interface RunningTunnel {
  connection: Connection;
  control: Duplex;
  session: GatewaySession;
  principal: Principal;
}

/** Whatever comes first: the client says goodbye, the client is lost, access ends, or the session ends for a reason of the gateway's. */
async function untilEnd({ connection, control, session, principal }: RunningTunnel): Promise<void> {
  const goodbye = readControl(control, sessionCloseSchema, { millisMax: Infinity }).then(
    () => session.end(clientClosed),
    () => undefined,
  );
  void goodbye;
  void connection.closed.then(() => session.end(clientLost));
  const stopTimer = endAt(principal.expiresAt, () => void session.end(accessEnded));
  const { reason, message, final } = await session.ended;
  stopTimer();
  await writeControl(control, { kind: 'ended', reason, message, final }).catch(() => undefined);
}

/** A tunnel lives no longer than the grant behind it. */
function endAt(expiresAt: number | null, act: () => void): () => void {
  return expiresAt === null ? () => undefined : actWhen(() => expiresAt - Date.now(), act);
}

function asUserError(error: unknown, log: Log): UserError {
  if (error instanceof UserError) return error;
  log.error({ error: String(error) }, 'a tunnel failed');
  return new UserError('HOOP_PROTOCOL', 'the tunnel handshake failed', {
    next: 'upgrade hoop on the side that is older',
  });
}
