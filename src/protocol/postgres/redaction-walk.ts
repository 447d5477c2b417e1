import { holdsPassword, isHarmless } from './connection-string.ts';
import type { Tree } from './grammar.ts';
import { pgcryptoSecrets } from './pgcrypto.ts';
import { mayConcernSecrets, openMappingOptions, secretOption } from './secret-words.ts';

/** Parameters (from 1) that stand where a secret belongs, and by which rule. */
export type SecretParameters = Map<number, string>;
/** `all` where the text could not be read. */
export type Secrets = SecretParameters | 'all';
/** The rule for what is withheld because it could not be read. */
export const unreadable = 'unreadable-text';

/** A place in a statement, as the parse tree tells it; offsets in bytes from the text's beginning. */
export type Finding =
  /** The first literal at or behind `at`. */
  | { kind: 'literal'; at: number; rule: string }
  /** The option's value: a literal within a few tokens behind `at`. */
  | { kind: 'option'; at: number; rule: string }
  /** The literal behind the keyword CONNECTION. */
  | { kind: 'connection'; rule: string }
  /** The literal at or behind `at` is code that says `text`; `string`: it may be SQL, or may not. */
  | { kind: 'code'; at: number; language: string; text: string };

export interface WalkOptions {
  withPgcrypto: boolean;
  /** SQL's prepared statements with secret parameters; the walk adds what it sees. */
  prepared: Map<string, Secrets>;
}

type Fields = { [key: string]: Tree };

const fieldsOf = (tree: Tree | undefined): Fields =>
  typeof tree === 'object' && tree !== null && !Array.isArray(tree) ? tree : {};
const listOf = (tree: Tree | undefined): Tree[] => (Array.isArray(tree) ? tree : []);
const textOf = (tree: Tree | undefined): string => (typeof tree === 'string' ? tree : '');
const numberOf = (tree: Tree | undefined): number => (typeof tree === 'number' ? tree : 0);
/** `{ String: { sval } }` */
const stringOf = (tree: Tree | undefined): string | undefined => {
  const node = fieldsOf(tree)['String'];
  return node === undefined ? undefined : textOf(fieldsOf(node)['sval']);
};
/** Of a string constant. */
const constantOf = (tree: Tree | undefined): string | undefined => {
  const value = fieldsOf(fieldsOf(tree)['A_Const'])['sval'];
  return value === undefined ? undefined : textOf(fieldsOf(value)['sval']);
};

/** Of dblink's arguments: constants tell by themselves whether they are connection strings, parameters when their values come. */
const parameterOnly = 'connection-parameter';

/** How much of its end is looked at. */
const endChars = 100;
/** `… PASSWORD '` at the end of a text that is put together. */
const beforePassword = /(passwd|password)[\s='"]*$/i;

/**
 * Looks through one statement's tree for secrets. With a stack of its own: a tree may be deeper than the call stack. A rule that is
 * pushed with a node holds for every constant and parameter below it.
 */
export class RedactionWalk {
  readonly findings: Finding[] = [];
  readonly parameters: SecretParameters = new Map();
  readonly #options: WalkOptions;
  readonly #stack: { node: Tree; rule: string | undefined }[] = [];

  constructor(options: WalkOptions) {
    this.#options = options;
  }

  run(statement: Tree): this {
    this.#push(statement, undefined);
    for (let next = this.#stack.pop(); next; next = this.#stack.pop()) {
      const { node, rule } = next;
      if (Array.isArray(node)) for (const item of node) this.#push(item, rule);
      else for (const [type, value] of Object.entries(fieldsOf(node))) this.#visit(type, value, rule);
    }
    return this;
  }

  #push(node: Tree | undefined, rule: string | undefined): void {
    if (typeof node === 'object' && node !== null) this.#stack.push({ node, rule });
  }

  #visit(type: string, value: Tree, rule: string | undefined): void {
    const node = fieldsOf(value);
    switch (type) {
      case 'A_Const':
        return this.#constant(value, rule);
      case 'ParamRef':
        if (rule !== undefined)
          this.parameters.set(numberOf(node['number']), rule === parameterOnly ? 'connection-string' : rule);
        return;
      case 'DefElem':
        return this.#option(node, rule);
      case 'CreateUserMappingStmt':
      case 'AlterUserMappingStmt':
        return this.#push(value, 'user-mapping-option');
      case 'CreateSubscriptionStmt':
      case 'AlterSubscriptionStmt':
        if (!isHarmless(textOf(node['conninfo'])))
          this.findings.push({ kind: 'connection', rule: 'connection-string' });
        return this.#push(value, rule);
      case 'VariableSetStmt':
      case 'setstmt':
        return this.#push(value, /conninfo$/i.test(textOf(node['name'])) ? 'connection-string' : rule);
      case 'FuncCall':
        return this.#call(node, rule);
      case 'A_Expr':
        return this.#expression(node, rule);
      case 'PrepareStmt':
        return this.#prepare(node);
      case 'ExecuteStmt':
        return this.#execute(node, rule);
      case 'DoStmt':
        return this.#code(node, listOf(node['args']), 'plpgsql');
      case 'CreateFunctionStmt':
        return this.#code(node, listOf(node['options']), 'sql');
      default:
        return this.#push(value, rule);
    }
  }

  #constant(value: Tree, rule: string | undefined): void {
    const text = constantOf({ A_Const: value });
    if (text === undefined) return;
    const at = numberOf(fieldsOf(value)['location']);
    if (rule === 'connection-string' && isHarmless(text)) return;
    if (rule !== undefined && rule !== parameterOnly) this.findings.push({ kind: 'literal', at, rule });
    else if (holdsPassword(text)) this.findings.push({ kind: 'literal', at, rule: 'connection-string' });
    else if (mayConcernSecrets(text, this.#options.withPgcrypto))
      this.findings.push({ kind: 'code', at, language: 'string', text });
  }

  #option(node: Fields, rule: string | undefined): void {
    const name = textOf(node['defname']);
    const text = stringOf(node['arg']);
    const at = numberOf(node['location']);
    const secret = openMappingOptions.has(name.toLowerCase()) ? undefined : optionRule(name, rule);
    // `PASSWORD $1`: no server takes it, but drivers send it, and the value with it.
    if (text === undefined) this.#push(node['arg'], secret);
    else if (secret !== undefined) this.findings.push({ kind: 'option', at, rule: secret });
    else if (holdsPassword(text)) this.findings.push({ kind: 'option', at, rule: 'connection-string' });
  }

  #call(node: Fields, rule: string | undefined): void {
    const name = (stringOf(listOf(node['funcname']).at(-1)) ?? '').toLowerCase();
    const args = listOf(node['args']);
    const { args: _, ...rest } = node;
    this.#push(rest, rule);
    const keys = this.#options.withPgcrypto ? (pgcryptoSecrets.get(name) ?? []) : [];
    const [first] = args;
    const start = constantOf(first) ?? '';
    // format('ALTER ROLE %I PASSWORD %L', …): which of the others is the password cannot be told for sure.
    const isMade = name === 'format' && /passw|connection/i.test(start) && rule === undefined;
    const isSetting = name === 'set_config' && /conninfo$/i.test(start);
    for (const [index, arg] of args.entries()) {
      if (isMade && index === 0) continue;
      if (keys.includes(index)) this.#push(arg, 'pgcrypto-key');
      else if (isMade) this.#push(arg, 'password');
      else if (isSetting && index === 1) this.#push(arg, 'connection-string');
      else this.#push(arg, name.startsWith('dblink') ? (rule ?? parameterOnly) : rule);
    }
  }

  /** `'ALTER ROLE x PASSWORD ' || quote_literal(…)`: all that follows those words. */
  #expression(node: Fields, rule: string | undefined): void {
    const parts = joined(node);
    if (parts.length === 0) return this.#push(Object.values(node), rule);
    const words =
      rule === undefined
        ? parts.findIndex((part) => beforePassword.test((constantOf(part) ?? '').slice(-endChars)))
        : -1;
    for (const [index, part] of parts.entries()) {
      if (index === words) continue;
      this.#push(part, words >= 0 && index > words ? 'password' : rule);
    }
  }

  #prepare(node: Fields): void {
    const inner = new RedactionWalk(this.#options).run(node['query'] ?? null);
    this.findings.push(...inner.findings);
    if (inner.parameters.size > 0) this.#options.prepared.set(textOf(node['name']), inner.parameters);
  }

  #execute(node: Fields, rule: string | undefined): void {
    const secrets = this.#options.prepared.get(textOf(node['name']));
    for (const [index, arg] of listOf(node['params']).entries())
      this.#push(arg, (secrets === 'all' ? unreadable : secrets?.get(index + 1)) ?? rule);
  }

  /** The body is looked into by itself; all else is walked. */
  #code(node: Fields, options: Tree[], usual: string): void {
    const elements = options.map((option) => fieldsOf(fieldsOf(option)['DefElem']));
    const language = elements.find(({ defname }) => defname === 'language');
    for (const element of elements) {
      if (element['defname'] !== 'as') this.#push({ DefElem: element }, undefined);
      else this.#body(element, stringOf(language?.['arg'])?.toLowerCase() ?? usual);
    }
    const { args: _, options: __, ...rest } = node;
    this.#push(rest, undefined);
  }

  #body({ arg = null, location = null }: Fields, language: string): void {
    const [text] = [stringOf(arg), ...listOf(fieldsOf(fieldsOf(arg)['List'])['items']).map(stringOf)].filter(Boolean);
    if (text === undefined || !mayConcernSecrets(text, this.#options.withPgcrypto)) return;
    this.findings.push({ kind: 'code', at: numberOf(location), language, text });
  }
}

function optionRule(name: string, rule: string | undefined): string | undefined {
  if (rule === 'user-mapping-option') return rule;
  if (name === 'password') return 'password';
  return secretOption.test(name) ? 'secret-option' : rule;
}

/** What `||` joins, in order; nothing for other operators. */
function joined(expression: Fields): Tree[] {
  const parts: Tree[] = [];
  let node: Fields = expression;
  while (listOf(node['name']).some((name) => stringOf(name) === '||')) {
    parts.push(node['rexpr'] ?? null);
    const left = node['lexpr'] ?? null;
    node = fieldsOf(fieldsOf(left)['A_Expr']);
    if (!listOf(node['name']).some((name) => stringOf(name) === '||')) parts.push(left);
  }
  return parts.reverse();
}
