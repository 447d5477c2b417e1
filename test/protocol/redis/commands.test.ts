import { expect, test } from 'vitest';
import { whyRefused } from '../../../src/protocol/redis/commands.ts';
import { redact } from '../../../src/protocol/redis/redaction.ts';

const words = (line: string) => line.split(' ').map((word) => Buffer.from(word));
const isRefused = (line: string) => whyRefused(words(line)) !== undefined;

test.each([
  'JSON.GET k',
  'ft.search i q',
  'VADD k',
  'HGETEX h',
  'CLIENT MAINT_NOTIFICATIONS ON',
  'config get save databases',
  'get',
])('%s may pass', (line) => expect(isRefused(line)).toBe(false));

test.each([
  'config get *',
  'config get require?ass',
  'CONFIG GET save requirepass',
  'config get masterauth',
  'client',
  'config',
  'x'.repeat(100),
  'sentinel set m',
  ' ',
  'json',
])('%s may not', (line) => expect(isRefused(line)).toBe(true));

test.each([
  ['AUTH X', 'AUTH _'],
  ['AUTH user X', 'AUTH user _'],
  ['AUTH user X X', 'AUTH user _ _'],
  ['AUTH', 'AUTH'],
  ['HELLO 3 AUTH user X SETNAME me', 'HELLO 3 AUTH user _ SETNAME me'],
  ['HELLO 3 AUTH X', 'HELLO 3 _ _'],
  ['HELLO 3 SETNAME me what X', 'HELLO 3 SETNAME me _ _'],
  ['HELLO 3 SETNAME', 'HELLO 3 _'],
  ['CONFIG SET requirepass X save 1', 'CONFIG SET requirepass _ save 1'],
  ['CONFIG SET masterauth', 'CONFIG SET masterauth'],
  ['CONFIG GET requirepass', 'CONFIG GET requirepass'],
  ['ACL SETUSER bob on >X', 'ACL SETUSER bob _ _'],
  ['ACL CAT read write x', 'ACL CAT read write x'],
  ['ACL HELP a b c', 'ACL HELP a b c'],
  ['MIGRATE h 1 k 0 10 AUTH X', 'MIGRATE h 1 k 0 10 AUTH _'],
  ['MIGRATE h 1 k 0 10 auth2 user X KEYS a', 'MIGRATE h 1 k 0 10 auth2 user _ KEYS a'],
  ['SENTINEL SET m auth-pass X', 'SENTINEL SET m _ _'],
  ['MODULE LOADEX path CONFIG X', 'MODULE LOADEX path _ _'],
  ['SET AUTH X', 'SET AUTH X'],
])('%s: the record has %s', (line, shown) => {
  const { words: kept, redactions } = redact(words(line), (size) => Buffer.alloc(size, 1));
  const text = kept.map(String).join(' ');
  expect(text.replaceAll(/\[withheld sha256:[0-9a-f]{64}\]/g, '_')).toBe(shown);
  expect(redactions).toHaveLength(shown.split('_').length - 1);
});
