import { expect, test } from 'vitest';
import { tellTale } from '../../src/client/tell-tale.ts';

test.each([
  [{ CURSOR_AGENT: '1' }, 'cursor', 'CURSOR_AGENT'],
  [{ CLAUDECODE: '1' }, 'claude-code', 'CLAUDECODE'],
  [{ GEMINI_CLI: '1' }, 'gemini-cli', 'GEMINI_CLI'],
])('%j gives %s away', (environment, actor, variable) => {
  expect(tellTale(environment)).toEqual({ actor, declared: { 'tell-tale': variable } });
});

test.each([{}, { CURSOR_AGENT: '' }, { TERM_PROGRAM: 'vscode' }])('%j says nothing', (environment) => {
  expect(tellTale(environment)).toBeUndefined();
});
