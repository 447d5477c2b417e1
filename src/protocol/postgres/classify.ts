import type { StatementClass } from '../protocol.ts';
import { grammar, type Tree } from './grammar.ts';

/** Longer texts are not parsed for a search: they count as dangerous, as what cannot be parsed does. */
const textLengthMax = 64 * 1024;

/** By the grammar's own names of statements; those that stand nowhere here change something in the database's schema. */
const reads = new Set(
  `SelectStmt VariableShowStmt VariableSetStmt TransactionStmt DeclareCursorStmt FetchStmt ClosePortalStmt DeallocateStmt ListenStmt
   UnlistenStmt NotifyStmt DiscardStmt CheckPointStmt ConstraintsSetStmt PrepareStmt ExplainStmt CopyStmt`.split(/\s+/),
);
const writes = new Set(
  'InsertStmt UpdateStmt DeleteStmt MergeStmt LockStmt ExecuteStmt CallStmt RefreshMatViewStmt'.split(' '),
);
/** They destroy, change who may do what, or run code that the grammar does not see into. */
const dangerous = new Set(
  `DropStmt DropdbStmt DropRoleStmt DropOwnedStmt DropTableSpaceStmt DropSubscriptionStmt DropUserMappingStmt TruncateStmt DoStmt
   GrantStmt GrantRoleStmt CreateRoleStmt AlterRoleStmt AlterRoleSetStmt ReassignOwnedStmt AlterOwnerStmt AlterDefaultPrivilegesStmt
   AlterSystemStmt LoadStmt CreateExtensionStmt CreatePLangStmt`.split(/\s+/),
);
const notSchema = new Set(['TruncateStmt', 'DoStmt', 'AlterSystemStmt', 'LoadStmt']);

type Node = Record<string, Tree>;

/** What a text of SQL does by PostgreSQL's own grammar; what a function does that it calls is not seen. For search, never for the record. */
export function classify(text: string): ReadonlySet<StatementClass> {
  const classes = new Set<StatementClass>();
  try {
    if (text.length > textLengthMax) return classes.add('dangerous');
    const { stmts = [] } = grammar.parse(Buffer.from(text)) as { stmts?: { stmt: Node }[] };
    for (const { stmt } of stmts) addStatement(stmt, classes);
  } catch {
    classes.add('dangerous');
  }
  return classes;
}

function addStatement(statement: Node, classes: Set<StatementClass>): void {
  for (const [name, body] of Object.entries(statement)) {
    const node = body as Node;
    if (dangerous.has(name) || isRisky(name, node)) classes.add('dangerous');
    if (writes.has(name) || name === 'TruncateStmt') classes.add('write');
    else if (!reads.has(name) && !notSchema.has(name)) classes.add('ddl');
    if (name === 'CopyStmt' && node['is_from']) classes.add('write');
    addInside(node, classes);
  }
}

/** Everything is deleted or changed, a column is dropped, a program is run or a file of the server is used. */
function isRisky(name: string, node: Node): boolean {
  if (name === 'DeleteStmt' || name === 'UpdateStmt') return node['whereClause'] === undefined;
  if (name === 'CopyStmt') return node['is_program'] === true || node['filename'] !== undefined;
  return name === 'AlterTableStmt' && JSON.stringify(node['cmds']).includes('"AT_DropColumn"');
}

/** Statements in a WITH, behind PREPARE or EXPLAIN, and SELECT INTO. */
function addInside(node: Tree, classes: Set<StatementClass>): void {
  if (node === null || typeof node !== 'object') return;
  for (const [name, value] of Object.entries(node)) {
    if (name === 'intoClause') classes.add('ddl');
    else if (writes.has(name)) addStatement({ [name]: value }, classes);
    else addInside(value as Tree, classes);
  }
}
