import type { Session } from '../../shared/api.ts';
import { UserError } from '../../shared/errors.ts';
import { getResource, listResources } from '../api/resources.ts';
import type { OpenedGateway } from '../open-gateway.ts';
import { isDsn, parseDsn, type DsnTarget } from './dsn.ts';
import { EntrySpool } from './entry-spool.ts';
import { objectionsToDsn, objectionsToResource } from './objections.ts';
import { surveyOf, type Survey } from './survey.ts';

export interface RerunRequest {
  gateway: OpenedGateway;
  session: Session;
  /** A resource's name, or a DSN. */
  into: string;
  until?: number | undefined;
  /** Of a DSN: the person says that it is one. */
  sandbox?: boolean | undefined;
  'skip-withheld'?: boolean | undefined;
  environment: NodeJS.ProcessEnv;
}

/** What is to be run, and where; nothing of it has begun. */
export interface RerunPlan {
  spool: EntrySpool;
  survey: Survey;
  target: { name: string; dsn: DsnTarget | undefined };
  /** Why it should not be run there. */
  objections: string[];
}

/** Reads the recording and looks at the target. Throws HOOP_USAGE, HOOP_NOT_FOUND. The caller disposes of `spool`. */
export async function planRerun(request: RerunRequest): Promise<RerunPlan> {
  const { gateway, session, until } = request;
  const spool = await EntrySpool.of(gateway.api, session.id);
  try {
    const survey = await surveyOf(spool.entries(), until);
    return { spool, survey, ...(await judged(request, survey)) };
  } catch (error) {
    await spool[Symbol.asyncDispose]();
    throw error;
  }
}

async function judged(
  { gateway: { api }, into, sandbox, environment }: RerunRequest,
  { genesis: recorded, protocol }: Survey,
): Promise<Pick<RerunPlan, 'target' | 'objections'>> {
  if (!isDsn(into)) {
    const target = await getResource(api, into);
    expectSame(target.protocol, protocol.name, into);
    return { target: { name: into, dsn: undefined }, objections: await objectionsToResource({ recorded, target }) };
  }
  const dsn = parseDsn(into, environment);
  const name = `${dsn.address}/${dsn.database}`;
  expectSame(dsn.protocol, protocol.name, name);
  const { resources: known } = await listResources(api);
  const objections = await objectionsToDsn({ recorded, target: dsn, known, isSandbox: sandbox === true });
  return { target: { name, dsn }, objections };
}

function expectSame(spoken: string, recorded: string, target: string): void {
  if (spoken === recorded) return;
  throw new UserError('HOOP_USAGE', `${target} speaks ${spoken}, the session was recorded of ${recorded}`, {
    next: `name a target that speaks ${recorded}`,
  });
}

/** What the record does not hold cannot be run; a person decides whether the rest makes sense without it. */
export function expectWhole({ missing }: Survey, skipWithheld: boolean): void {
  if (missing.length === 0 || skipWithheld) return;
  const named = missing.slice(0, namedMax).map(({ seq, why }) => `#${seq} (${why})`);
  const more = missing.length > namedMax ? ` and ${missing.length - namedMax} more` : '';
  throw new UserError('HOOP_USAGE', `what the record does not hold cannot be run again: ${named.join(', ')}${more}`, {
    next: 'run the rest without it: --skip-withheld',
  });
}

const namedMax = 20;

export interface Consent {
  force: boolean;
  /** The target's name, said again. */
  confirm: string | undefined;
  /** Asked at a terminal, in the place of `confirm`. */
  ask: ((question: string) => Promise<string>) | undefined;
}

/** Twice, because once is a habit. Throws HOOP_DENIED. */
export async function expectConsent(
  { objections, target }: RerunPlan,
  { force, confirm, ask }: Consent,
): Promise<void> {
  if (objections.length === 0) return;
  const why = objections.join(', and ');
  if (!force) {
    throw new UserError('HOOP_DENIED', `the session is not run again there: ${why}`, {
      next: `name a resource with sandbox: true; to run it there all the same: --force --confirm ${target.name}`,
    });
  }
  const said = confirm ?? (await ask?.(`${why}.\nType ${target.name} to run the session there all the same: `));
  if (said?.trim() === target.name) return;
  throw new UserError('HOOP_DENIED', `--force was said, but not the name of the target: ${why}`, {
    next: `say it again: --confirm ${target.name}`,
  });
}
