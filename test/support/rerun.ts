import { dial } from '../../src/agent/transport.ts';
import { entriesOf } from '../../src/client/api/sessions.ts';
import { parseDsn } from '../../src/client/rerun/dsn.ts';
import { rerun, type RerunPace } from '../../src/client/rerun/rerun.ts';
import { surveyOf } from '../../src/client/rerun/survey.ts';
import { openDsn, type Dial } from '../../src/client/rerun/target.ts';
import { recordedEntries } from '../../src/client/recorded-entries.ts';
import type { GatewayApi } from '../../src/client/gateway-api.ts';
import type { RerunEnd, RerunStatement } from '../../src/recording/rerun-report.ts';

const directly: Dial = (address, tls) => dial({ address, tls });

export interface Ran {
  statements: RerunStatement[];
  end: RerunEnd;
}

export interface RerunTestOptions {
  until?: number;
  signal?: AbortSignal;
  pace?: RerunPace;
  /** Told of each statement as it comes. */
  onStatement?: (statement: RerunStatement) => void | Promise<void>;
}

/** Runs a session of the gateway again on a server, directly. */
export async function rerunOn(
  api: GatewayApi,
  session: string,
  dsn: string,
  { until, signal, pace, onStatement }: RerunTestOptions = {},
): Promise<Ran> {
  const entries = () => recordedEntries(session, entriesOf(api, session));
  const survey = await surveyOf(entries(), until);
  await survey.protocol.load?.();
  const target = openDsn(parseDsn(dsn, {}), survey.protocol, directly);
  const running = rerun({
    session,
    survey,
    entries,
    connect: target.connect,
    until,
    signal: signal ?? new AbortController().signal,
    ...(pace && { pace }),
  });
  const statements: RerunStatement[] = [];
  for (let next = await running.next(); ; next = await running.next()) {
    if (next.done) return { statements, end: next.value };
    statements.push(next.value);
    await onStatement?.(next.value);
  }
}

/** What a reader looks at first: the text and the result, of all that is not the same. */
export const differences = ({ statements }: Ran): [text: string | null, result: string][] =>
  statements
    .filter(({ result }) => result !== 'same')
    .map(({ recorded, result, skipped }) => [recorded.text, skipped ? `${result}: ${skipped}` : result]);
