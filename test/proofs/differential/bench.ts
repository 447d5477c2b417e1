import type { PostgresServer } from '../../../src/demo/postgres.ts';
import type { Statement } from '../../../src/shared/api.ts';
import { RawClient } from '../../support/raw-client.ts';
import { say } from '../../support/frontend-messages.ts';
import { startStack, type Stack } from '../../support/stack.ts';
import type { SignedIn } from '../../support/identity-gateway.ts';
import { Player, beginning } from './play.ts';
import { difference, type Ran } from './ran.ts';
import { ranIn } from './recorded.ts';
import { shown, type Script } from './script.ts';
import { ServerLog } from './log-reader.ts';

/** Connections that play at the same time, each in a schema of its own, so that none waits for another's locks. */
const playersMax = 4;

/** Reasons for which the gateway may say no to a script; each leaves its entry. */
const allowedRefusals = new Set([
  'unknown-statement',
  'unknown-portal',
  'unclear-after-copy',
  'message-during-copy',
  'client-gone',
]);

export interface Tally {
  scripts: number;
  statements: number;
  refusals: Record<string, number>;
  /** Connections that ended: by their client, by the gateway, or because the server crashed. */
  ended: number;
  crashes: number;
}

/** A server that logs everything, the gateway before it, and both accounts of what scripts did. */
export class Bench {
  readonly tally: Tally = { scripts: 0, statements: 0, refusals: {}, ended: 0, crashes: 0 };
  readonly #stack: Stack;
  readonly #log: ServerLog;
  #user: SignedIn | undefined;
  #userSince = 0;

  private constructor(stack: Stack, log: ServerLog) {
    this.#stack = stack;
    this.#log = log;
  }

  static async open(postgres: PostgresServer): Promise<Bench> {
    const setUp = await RawClient.open({ ...postgres, parameters: { application_name: 'set-up' } });
    setUp.send(say.query(schema));
    const types = await setUp.ready();
    if (types.includes('E')) throw new Error(`the set-up failed: ${types}`);
    await setUp.close();
    const stack = await startStack({ postgres });
    await stack.addUser('ada');
    return new Bench(stack, new ServerLog(postgres.logFile!));
  }

  /** Plays the scripts in one session; what differs, for people to read. */
  async play(scripts: readonly Script[]): Promise<string[]> {
    const user = await this.#signedIn();
    const local = await this.#stack.connect(user);
    const named: { script: Script; name: string }[] = [];
    const waiting = [...scripts];
    const play = async (place: number) => {
      const player = new Player({ ...local, parameters: { search_path: `w${place},public` } });
      for (let script = waiting.shift(); script; script = waiting.shift())
        named.push({ script, name: await this.#played(player, script, local.session) });
      await player.close();
      this.tally.ended += player.ended;
    };
    await Promise.all(Array.from({ length: playersMax }, (_, place) => play(place)));
    await this.#log.complete(named.map(({ name }) => name));
    this.tally.crashes = this.#log.crashes;
    const { session } = local;
    await local.close();
    const recorded = byScript(await this.#stack.statements(user, session));
    const found = named.flatMap(({ script, name }) =>
      this.#compare(script, recorded.get(name), this.#log.ran.get(name)!),
    );
    this.#log.forget();
    return found;
  }

  /** The name under which it stands in both accounts. */
  async #played(player: Player, script: Script, session: string): Promise<string> {
    let name = `${session} ${script.seed}`;
    try {
      while (!(await player.play(script, name))) name += ' again';
      return name;
    } catch (error) {
      throw new Error(`HOOP_PROVE_SEED=${script.seed}: ${String(error)}\n${shown(script)}`, { cause: error });
    }
  }

  #compare(script: Script, statements: readonly Statement[] = [], logged: readonly Ran[]): string[] {
    this.tally.scripts++;
    this.tally.statements += logged.length;
    const complaints: string[] = [];
    for (const { verb, outcome } of statements) {
      if (verb !== 'refusal') continue;
      const reason = outcome!.errorCode!;
      this.tally.refusals[reason] = (this.tally.refusals[reason] ?? 0) + 1;
      if (!allowedRefusals.has(reason)) complaints.push(`refused: ${reason}: ${outcome!.errorMessage}`);
    }
    const differs = difference(ranIn(statements), logged, { isCutOff: script.hangsUp });
    if (differs !== undefined) complaints.push(differs);
    return complaints.length === 0
      ? []
      : [`HOOP_PROVE_SEED=${script.seed}: ${complaints.join('\n')}\n${shown(script)}`];
  }

  /** An access token lives for a quarter of an hour, a long proof for longer. */
  async #signedIn(): Promise<SignedIn> {
    if (this.#user && Date.now() - this.#userSince < 5 * 60_000) return this.#user;
    this.#userSince = Date.now();
    return (this.#user = await this.#stack.signIn('ada'));
  }

  close(): PromiseLike<void> {
    return this.#stack[Symbol.asyncDispose]();
  }
}

/** Each script's statements, in their order; a stream plays one script after the other. */
function byScript(statements: readonly Statement[]): Map<string, Statement[]> {
  const scripts = new Map<string, Statement[]>();
  const current = new Map<number, Statement[]>();
  for (const statement of statements) {
    const name = /^select 'script (.*) begins'$/.exec(statement.text ?? '')?.[1];
    if (name !== undefined && statement.text === beginning(name)) {
      current.set(statement.stream, []);
      scripts.set(name, current.get(statement.stream)!);
    }
    current.get(statement.stream)?.push(statement);
  }
  return scripts;
}

const schema = `
  create role reader;
  ${Array.from(
    { length: playersMax },
    (_, place) => `
      create schema w${place};
      grant usage on schema w${place} to reader;
      create table w${place}.items (id int primary key, note text);
      create table w${place}.parents (id int primary key);
      create table w${place}.late (id int, parent int references w${place}.parents deferrable initially deferred);
      create table w${place}.guarded (id int, note text);`,
  ).join('')}
  create function deny() returns trigger language plpgsql as $$ begin raise exception 'denied'; end $$;
  ${Array.from(
    { length: playersMax },
    (_, place) => `create trigger guard before insert on w${place}.guarded for each statement execute function deny();`,
  ).join('\n  ')}
  create function fail() returns int language plpgsql as $$ begin raise exception 'on purpose' using errcode = 'XX999'; end $$;
  create procedure nothing() language plpgsql as $$ begin null; end $$;
  create function take(name text) returns int language plpgsql as $$
    begin
      if exists (select from pg_prepared_statements p where p.name = take.name) then
        execute format('deallocate %I', name);
      end if;
      execute format('prepare %I as select ''taken''', name);
      return 1;
    end $$;
`;
