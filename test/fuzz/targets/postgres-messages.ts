import {
  bytesOf,
  encodeBind,
  encodeMessage,
  encodeParameterStatus,
  encodeParse,
  encodeReadyForQuery,
  frontendType,
  int16,
  int32,
} from '../../../src/protocol/postgres/messages.ts';
import { answer } from '../../support/backend-messages.ts';
import { say } from '../../support/frontend-messages.ts';

export const greeting = Buffer.concat([encodeParameterStatus('client_encoding', 'UTF8'), encodeReadyForQuery('I')]);

const none = bytesOf('');
const parameters = { formats: [0, 1], values: [bytesOf('x'), null], resultFormats: [1] };

/** Whole messages to build conversations of: few names, so that they meet. */
const fromClient: Uint8Array[] = [
  ...['select 1', '', 'copy t from stdin', 'select 1; select 2', 'drop table é \\', "alter role r password 'x'"].map(
    say.query,
  ),
  ...['', 'a', 'b'].flatMap((name) => [
    say.parse(name, 'select $1'),
    say.parse(name, 'insert é \\'),
    say.bind('', name, 'x'),
    say.bind(name, name),
    say.bind('p', name),
    say.execute(name),
    say.describeStatement(name),
    say.describePortal(name),
    say.closeStatement(name),
    say.closePortal(name),
  ]),
  encodeParse({ name: none, text: bytesOf('select $1, $2'), types: [25, 0xffffffff] }),
  encodeBind({ portal: none, statement: none, ...parameters }),
  say.execute('', 1),
  say.execute('p', -1),
  encodeMessage(frontendType.functionCall, int32(1598), int16(0), int16(1), int32(1), bytesOf('x'), int16(0)),
  say.sync(),
  say.sync(),
  say.sync(),
  say.flush(),
  say.terminate(),
  say.copyData('1\tone\n'),
  say.copyData(''),
  say.copyDone(),
  say.copyFail('no'),
  Buffer.concat([say.parse('', 'select 1'), say.bind('', ''), say.execute(''), say.sync()]),
  Buffer.concat([say.parse('a', 'select 1'), say.sync(), say.bind('', 'a'), say.execute(''), say.sync()]),
];

const fromServer: Uint8Array[] = [
  answer.parsed(),
  answer.bound(),
  answer.closed(),
  answer.noData(),
  answer.suspended(),
  answer.empty(),
  ...['SELECT 1', 'COPY 2', 'BEGIN', 'INSERT 0 1'].map(answer.complete),
  ...(['I', 'T', 'E'] as const).map(answer.ready),
  answer.columns(),
  answer.row('x'),
  answer.row(''),
  answer.parameters(25),
  answer.parameters(),
  answer.copyIn(),
  answer.copyOut(),
  answer.copyBoth(),
  answer.copyData('1\n'),
  answer.copyDone(),
  ...['42601', '57014', '26000', '34000'].map((code) => answer.error(code)),
  answer.fatal('57P01'),
  answer.notice('well'),
  answer.notification('channel', 'payload'),
  answer.setting('client_encoding', 'SJIS'),
  answer.setting('standard_conforming_strings', 'off'),
  answer.functionResult('x'),
  Buffer.concat([answer.parsed(), answer.bound(), answer.row('x'), answer.complete('SELECT 1'), answer.ready()]),
  Buffer.concat([answer.columns(), answer.row('x'), answer.complete('SELECT 1'), answer.ready()]),
];

export const dictionary = [fromClient, fromServer];
