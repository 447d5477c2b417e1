import { randomBytes } from 'node:crypto';
import { statementsOf } from '../api/sessions.ts';
import type { OpenedGateway } from '../open-gateway.ts';
import { onConnection, runStatement } from '../mcp/sql.ts';
import { RecordedSession } from '../mcp/recorded-session.ts';
import type { Check } from './doctor.ts';

export interface ProbeOptions {
  gateway: OpenedGateway;
  resource: string;
  caFile: string | undefined;
}

/** Sends a statement that exists once in the world, and reads it back from the record. Throws UserError. */
export async function probeRecord({ gateway, resource, caFile }: ProbeOptions): Promise<Omit<Check, 'name'>> {
  const stop = new AbortController();
  const nonce = randomBytes(12).toString('hex');
  const session = new RecordedSession({
    gateway: () => Promise.resolve(gateway),
    resource,
    actor: () => 'hoop-doctor',
    declared: {},
    caFile,
    say: () => undefined,
    signal: stop.signal,
  });
  const started = Date.now();
  try {
    const { id, info, connect } = await session.ready();
    if (info.environment['PGUSER'] === undefined) {
      return {
        state: 'ok',
        seen: 'a session opens; no statement was tried, which is done for PostgreSQL only',
        next: null,
      };
    }
    const text = `select 'hoop doctor ${nonce}'`;
    const bounds = { rowsMax: 1, resultBytesMax: 1000, whole: true };
    await onConnection(
      { connect: () => connect({ tool: 'doctor' }), environment: info.environment, signal: stop.signal },
      (client) => runStatement(client, { text }, bounds),
    );
    for await (const statement of statementsOf(gateway.api, id)) {
      if (statement.text !== text) continue;
      const seen = `statement sent, run and read back from session ${id.slice(0, 8)} in ${Date.now() - started} ms`;
      return { state: 'ok', seen, next: null };
    }
    return {
      state: 'failed',
      seen: `a statement ran and is not in the record of session ${id}`,
      next: 'use this gateway for nothing until that is explained; keep its data directory',
    };
  } finally {
    stop.abort();
    await session.closed();
  }
}
