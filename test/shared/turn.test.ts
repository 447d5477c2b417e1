import { expect, test } from 'vitest';
import { whenTurnEnds } from '../../src/shared/turn.ts';

/** Does so many turns of the event loop. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

test('what goes on because a record is durable is sent in the same turn', async () => {
  const log: string[] = [];
  whenTurnEnds('send', () => log.push('sent what was written before'));
  whenTurnEnds('record', () => {
    log.push('durable');
    void Promise.resolve().then(() => whenTurnEnds('send', () => log.push('sent what waited')));
  });
  await new Promise((resolve) => setImmediate(resolve)); // behind the two steps of this turn
  expect(log).toEqual(['durable', 'sent what was written before', 'sent what waited']);
});

test('nothing is lost and nothing runs twice, wherever it is asked for', async () => {
  const log: string[] = [];
  whenTurnEnds('record', () => {
    log.push('record 1');
    whenTurnEnds('record', () => log.push('record 2'));
    void Promise.resolve().then(() => whenTurnEnds('record', () => log.push('record 3')));
  });
  whenTurnEnds('send', () => {
    log.push('send 1');
    whenTurnEnds('send', () => log.push('send 2'));
    whenTurnEnds('record', () => log.push('record 4'));
  });
  await turns(3);
  expect(log).toEqual(['record 1', 'send 1', 'record 2', 'record 3', 'record 4', 'send 2']);
});
