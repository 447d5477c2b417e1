import { Chance } from './chance.ts';
import * as message from './message.ts';
import type { Message } from './message.ts';
import { empty, names, portals, templates, text, type Template } from './texts.ts';
import { kinds, valueOf } from './values.ts';

/** What a client does next. */
export type Step =
  | { send: Message[] }
  /** Until that many ReadyForQuery more have come. */
  | { ready: number }
  /** Until the server asks for COPY data, or says no. */
  | { untilCopy: true };

export type Cut = 'whole' | 'by chance' | 'byte by byte';

/** All that one client does, from its seed alone. */
export interface Script {
  seed: number;
  cut: Cut;
  steps: Step[];
  /** The client goes in the end, without a word, whatever is under way. */
  hangsUp: boolean;
}

export function makeScript(seed: number): Script {
  const chance = new Chance(seed);
  const cut = chance.weighted<Cut>([
    [6, 'whole'],
    [5, 'by chance'],
    [1, 'byte by byte'],
  ]);
  const writer = new Writer(chance);
  for (let turns = chance.between(1, 5); turns > 0; turns--) writer.turn();
  return { seed, cut, steps: writer.steps, hangsUp: chance.is(0.03) };
}

/** As a person reads it. */
export const shown = ({ seed, cut, steps, hangsUp }: Script): string =>
  [`script ${seed}, cut ${cut}${hangsUp ? ', hangs up' : ''}:`, ...steps.flatMap(noted)].join('\n');

function noted(step: Step): string[] {
  if ('ready' in step) return [`  … until ${step.ready} more ReadyForQuery`];
  if ('untilCopy' in step) return ['  … until CopyInResponse or an error'];
  return step.send.map(({ note }) => `  ${note}`);
}

/** Another cursor under the name of a portal, by SQL. */
const swap = "close p; declare p cursor for select 'swapped' from generate_series(1, 9)";

class Writer {
  readonly steps: Step[] = [];
  readonly #chance: Chance;
  /** What was parsed last under a name, whether or not the server took it. */
  readonly #parsed = new Map<string, Template>();
  #sent: Message[] = [];
  /** ReadyForQuery that will come; undefined where that depends on what fails. */
  #readies: number | undefined = 0;
  /** Extended messages since the last Sync: an error in them would make the server skip a Query. */
  #isOpen = false;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  /** Units, a Sync, and mostly a wait for what they give. */
  turn(): void {
    for (let units = this.#chance.between(1, 7); units > 0; units--) this.#unit();
    this.#sync();
    this.#flushSent();
    if (this.#chance.is(0.85)) this.steps.push({ ready: this.#readies ?? 1 });
    this.#readies = 0;
  }

  #unit(): void {
    const unit = this.#chance.weighted<() => void>([
      [10, () => this.#simple(text(this.#chance))],
      [10, () => this.#whole()],
      [6, () => this.#loose()],
      [3, () => this.#again()],
      [3, () => this.#suspended()],
      [2, () => this.#copySimple()],
      [2, () => this.#copyExtended()],
      [2, () => this.#call()],
      [1, () => this.#twoPhase()],
      [2, () => this.#failingPipeline()],
      [4, () => this.#sync()],
    ]);
    unit();
  }

  #say(...messages: Message[]): void {
    this.#sent.push(...messages);
    this.#isOpen = true;
  }

  #sync(): void {
    this.#sent.push(message.sync);
    this.#isOpen = false;
    if (this.#readies !== undefined) this.#readies++;
  }

  #flushSent(): void {
    if (this.#sent.length > 0) this.steps.push({ send: this.#sent });
    this.#sent = [];
  }

  /** Drivers end a pipeline before they send a Query; the protocol does not ask for it. */
  #between(): void {
    if (!this.#isOpen) return;
    if (this.#chance.is(0.8)) this.#sync();
    else this.#readies = undefined;
  }

  #simple(sql: string): void {
    this.#between();
    this.#sent.push(message.query(sql));
    if (this.#readies !== undefined) this.#readies++;
  }

  #call(): void {
    this.#between();
    const { oid } = this.#chance.weighted([
      [6, { oid: 177 }], // int4pl
      [2, { oid: 154 }], // int4div
      [1, { oid: 4_000_000 }], // nobody
    ]);
    const values = [valueOf(this.#chance, 'int4'), valueOf(this.#chance, 'int4')];
    this.#sent.push(message.functionCall(oid, values));
    if (this.#readies !== undefined) this.#readies++;
  }

  #parse(name: string): void {
    if (this.#chance.is(0.4)) {
      const sql = this.#chance.is(0.1) ? this.#chance.one(empty) : text(this.#chance);
      this.#parsed.set(name, { sql, kinds: [], inferred: true });
      return this.#say(message.parse(name, sql));
    }
    const template = this.#chance.one(templates);
    this.#parsed.set(name, template);
    const isTold = !template.inferred || this.#chance.is(0.5);
    this.#say(message.parse(name, template.sql, isTold ? template.kinds.map((kind) => kinds[kind].oid) : []));
  }

  #bind(portal: string, name: string): void {
    const known = this.#parsed.get(name)?.kinds ?? [];
    const wanted = this.#chance.is(0.03) ? [...known, 'text' as const] : known;
    const values = wanted.map((kind) => valueOf(this.#chance, kind));
    this.#say(message.bind(portal, name, values, this.#chance.one([[], [0], [1]])));
  }

  /** As a driver does it: Parse, Bind, Describe, Execute, Sync. */
  #whole(): void {
    const name = this.#chance.one(names);
    const portal = this.#chance.weighted([
      [6, ''],
      [1, this.#chance.one(portals)],
    ]);
    if (name !== '' && this.#chance.is(0.6)) this.#say(message.target('closeStatement', name));
    this.#parse(name);
    if (this.#chance.is(0.3)) this.#say(message.target('describeStatement', name));
    this.#bind(portal, name);
    if (this.#chance.is(0.5)) this.#say(message.target('describePortal', portal));
    this.#say(message.execute(portal, this.#chance.one([0, 0, 0, 2])));
    if (this.#chance.is(0.8)) this.#sync();
  }

  /** One message of the extended protocol, wherever it stands. */
  #loose(): void {
    const chance = this.#chance;
    const act = chance.weighted<() => void>([
      [4, () => this.#parse(chance.one(names))],
      [4, () => this.#bind(chance.one(portals), chance.one(names))],
      [4, () => this.#say(message.execute(chance.one(portals), chance.one([0, 1, 3])))],
      [1, () => this.#say(message.target('describeStatement', chance.one(names)))],
      [1, () => this.#say(message.target('describePortal', chance.one(portals)))],
      [2, () => this.#say(message.target('closeStatement', chance.one(names)))],
      [1, () => this.#say(message.target('closePortal', chance.one(portals)))],
      [1, () => this.#say(message.flush)],
    ]);
    act();
  }

  /** A name that is bound again and again. */
  #again(): void {
    const name = this.#chance.one(names);
    for (let times = this.#chance.between(1, 3); times > 0; times--) {
      this.#bind('', name);
      this.#say(message.execute(''));
      if (this.#chance.is(0.5)) this.#sync();
    }
  }

  /** A portal that is run in pieces, with other statements between. */
  #suspended(): void {
    const portal = this.#chance.one(portals);
    if (this.#chance.is(0.7)) this.#simple('begin');
    this.#say(message.parse('', 'select n, $1::text from generate_series(1, 9) n', [25]));
    this.#say(message.bind(portal, '', [valueOf(this.#chance, 'text')]));
    for (let times = this.#chance.between(1, 4); times > 0; times--) {
      this.#say(message.execute(portal, this.#chance.between(1, 4)));
      if (this.#chance.is(0.2)) this.#sync();
      if (this.#chance.is(0.2))
        this.#simple(this.#chance.one(['select 5', 'close p', 'commit', "select take('a')", swap]));
    }
    if (this.#chance.is(0.3)) this.#say(message.target('closePortal', portal));
    if (this.#chance.is(0.5)) this.#simple(this.#chance.one(['commit', 'rollback']));
  }

  #failingPipeline(): void {
    const bad = this.#chance.one([
      'selec 1',
      'select 1/0',
      "insert into items values (1, 'a'), (1, 'b')",
      'commit; commit',
    ]);
    this.#say(message.parse('', bad), message.bind('', '', []), message.execute(''));
    for (let more = this.#chance.between(0, 3); more > 0; more--) this.#loose();
    this.#sync();
  }

  #rows(): Message[] {
    const chance = this.#chance;
    const rows = Array.from({ length: chance.between(0, 3) }, () =>
      chance.is(0.1)
        ? 'no number\tx\n'
        : `${chance.between(1, 99_999)}\t${chance.one(['x', '\\N', '', 'a\\tb', '日本'])}\n`,
    );
    const last = chance.is(0.2) ? message.copyFail : message.copyDone;
    return [...rows.map(message.copyData), last];
  }

  #copySimple(): void {
    const into = this.#chance.one(['items', 'items', 'guarded', 'nowhere']);
    const before = this.#chance.is(0.2) ? 'select 1; ' : '';
    this.#simple(`${before}copy ${into} from stdin`);
    this.#copyTurn();
    this.#sent.push(...this.#rows());
  }

  #copyExtended(): void {
    this.#between();
    this.#say(message.parse('', 'copy items from stdin'), message.bind('', '', []), message.execute(''));
    this.#copyTurn();
    if (this.#chance.is(0.15)) this.#syncAhead();
    this.#sent.push(...this.#rows());
    this.#sync();
  }

  /** Most clients wait until they are asked for the data. After an error nobody would ask. */
  #copyTurn(): void {
    if (this.#readies === undefined || this.#chance.is(0.3)) return;
    this.#sent.push(message.flush);
    this.#flushSent();
    this.steps.push({ untilCopy: true });
  }

  /** The server ignores it during the COPY, and answers it after one that failed. */
  #syncAhead(): void {
    this.#sync();
    this.#readies = undefined;
  }

  #twoPhase(): void {
    const transaction = `g${this.#chance.between(0, 1e9)}`;
    const ending = this.#chance.one(['commit', 'rollback']);
    this.#simple('begin');
    this.#simple(`insert into items values (${this.#chance.between(1, 99_999)}, 'two phases')`);
    this.#simple(`prepare transaction '${transaction}'`);
    this.#simple(`${ending} prepared '${transaction}'`);
  }
}
