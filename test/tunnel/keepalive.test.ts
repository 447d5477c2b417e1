import { expect, test } from 'vitest';
import { startKeepalive } from '../../src/tunnel/keepalive.ts';

/** Time that the test owns. */
function stage() {
  let now = 0;
  let timer: { callBack: () => void; at: number } | undefined;
  const events: string[] = [];
  const keepalive = startKeepalive({
    ping: () => events.push(`ping ${now / 1000}`),
    onLost: () => events.push(`lost ${now / 1000}`),
    clock: { monotonicMicros: () => now * 1000 },
    setTimer: (callBack, millis) => {
      const made = { callBack, at: now + millis };
      timer = made;
      return () => {
        if (timer === made) timer = undefined;
      };
    },
    intervalMillis: 15_000,
    silenceMillisMax: 60_000,
  });
  const dueBy = (seconds: number) => (timer && timer.at <= seconds * 1000 ? timer : undefined);
  const fire = () => {
    const due = timer!;
    timer = undefined;
    due.callBack();
  };
  return {
    events,
    keepalive,
    /** Runs every timer that is due until then. */
    until(seconds: number) {
      for (let due = dueBy(seconds); due; due = dueBy(seconds)) {
        now = due.at;
        fire();
      }
      now = seconds * 1000;
    },
    /** The process did not run until then: one late timer fires. */
    pausedUntil(seconds: number) {
      now = seconds * 1000;
      fire();
    },
    get waits() {
      return timer !== undefined;
    },
  };
}

test('while the other side answers it is only pinged', () => {
  const { events, keepalive, until } = stage();
  for (let second = 1; second <= 60; second++) {
    until(second);
    keepalive.heard();
  }
  expect(events).toEqual(['ping 15', 'ping 30', 'ping 45', 'ping 60']);
});

test('60 seconds of silence: lost, not a second later', () => {
  const { events, keepalive, until } = stage();
  until(7);
  keepalive.heard();
  until(1000);
  expect(events).toEqual(['ping 15', 'ping 30', 'ping 45', 'ping 60', 'lost 67']);
});

test('after a sleep of our own the other side gets a moment: what it sent meanwhile is still unread', () => {
  const { events, keepalive, until, pausedUntil } = stage();
  pausedUntil(100);
  expect(events).toEqual(['ping 100']);
  until(101);
  keepalive.heard();
  until(116);
  expect(events).toEqual(['ping 100', 'ping 105']);
});

test('after a sleep of our own with nobody there any more: lost within seconds', () => {
  const { events, until, pausedUntil } = stage();
  pausedUntil(100);
  until(1000);
  expect(events).toEqual(['ping 100', 'lost 105']);
});

test('stopped, it leaves no timer', () => {
  const staged = stage();
  staged.keepalive.stop();
  expect(staged.waits).toBe(false);
});
