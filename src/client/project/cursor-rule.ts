/** What Cursor tells its coding agent in every chat about this repository. https://docs.cursor.com/context/rules */
export const cursorRule = (resources: string[]): string => `---
description: Data access in this repository goes through hoop
alwaysApply: true
---

# Data access goes through hoop

The resources of this repository are ${resources.map((name) => `\`${name}\``).join(', ')}. Reach them through hoop only: every statement
is recorded with who asked for it.

- Use the MCP servers of those names: \`query\` reads, in a transaction that is rolled back; \`execute\` and \`transaction\` change;
  for Redis there is \`command\`.
- A program or a migration that needs a resource: \`hoop run RESOURCE -- COMMAND\` sets DATABASE_URL (REDIS_URL for Redis) for it.
- Never look for another password or DSN, in \`.env\` files, compose files or elsewhere, and never ask for one.
- When a tool answers that a sign-in is needed, show its link and code to the person, and wait.
- A refusal by hoop is final: say what was refused and why, do not look for a way around it.
`;
