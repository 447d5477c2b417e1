import { count, localTime } from './print.ts';
import { timeLeft } from './time-left.ts';
import type { ConnectRow } from './connect-status.tsx';

/** What the view is told of one resource; the same shape as client/connected-resource's states, without its errors. */
export type ShownState =
  | { state: 'opening' }
  | { state: 'ready'; session: string; port: number; streams: number; endsAt?: number }
  | { state: 'reconnecting' | 'signing-in'; why: string; port: number }
  | { state: 'ended'; why: string }
  | { state: 'failed'; error: { message: string } };

export interface ConnectView {
  show(resource: string, state: ShownState): void;
  /** What somebody has to do now. On the live view it stands until a resource is ready: a line of its own would be painted over. */
  notice(line: string): void;
  close(): void;
}

/** One live line per resource on a terminal that can move its cursor; elsewhere one plain line per change, on stderr. */
export async function openConnectView(
  resources: string[],
  stream: NodeJS.WriteStream,
  hint: string,
): Promise<ConnectView> {
  // A terminal without a size (a serial line, some containers) would get a letter a line.
  const isLive = stream.isTTY && stream.columns > 0 && process.env['TERM'] !== 'dumb';
  return isLive ? openLiveView(resources, stream, hint) : openPlainView(stream);
}

export function connectRow(resource: string, state: ShownState, now: number): ConnectRow {
  switch (state.state) {
    case 'opening':
      return { resource, tone: 'waiting', word: 'opening', detail: '' };
    case 'ready':
      return {
        resource,
        tone: 'ready',
        word: `ready on 127.0.0.1:${state.port}`,
        detail: [
          `session ${state.session.slice(0, 8)}`,
          count(state.streams, 'connection'),
          ...(state.endsAt === undefined ? [] : [timeLeft(state.endsAt - now)]),
        ].join(' · '),
      };
    case 'reconnecting':
      return { resource, tone: 'waiting', word: 'reconnecting', detail: state.why };
    case 'signing-in':
      return { resource, tone: 'waiting', word: 'sign-in needed', detail: state.why };
    case 'ended':
      return { resource, tone: 'over', word: 'ended', detail: state.why };
    case 'failed':
      return { resource, tone: 'failed', word: 'failed', detail: state.error.message };
  }
}

async function openLiveView(resources: string[], stream: NodeJS.WriteStream, hint: string): Promise<ConnectView> {
  const { render, createElement } = await (await import('./load-ink.ts')).loadInk();
  const { ConnectStatus } = await import('./connect-status.tsx');
  const states = new Map<string, ShownState>(resources.map((resource) => [resource, { state: 'opening' }]));
  let notice = '';
  const rows = () => [...states].map(([resource, state]) => connectRow(resource, state, Date.now()));
  const element = (below: string) => createElement(ConnectStatus, { rows: rows(), notice, hint: below });
  const view = render(element(hint), { stdout: stream, exitOnCtrlC: false, patchConsole: false });
  // The countdown; nothing else changes by itself.
  const ticking = setInterval(() => {
    if ([...states.values()].some((state) => state.state === 'ready' && state.endsAt !== undefined))
      view.rerender(element(hint));
  }, 1000);
  ticking.unref();
  return {
    show(resource, state) {
      states.set(resource, state);
      if (state.state === 'ready') notice = '';
      view.rerender(element(hint));
    },
    notice(line) {
      notice = line;
      view.rerender(element(hint));
    },
    close() {
      clearInterval(ticking);
      notice = '';
      view.rerender(element(''));
      view.unmount();
    },
  };
}

/** In a log it is a time of day: nobody looks while it counts down. */
const until = (endsAt: number): string =>
  `until ${localTime(new Date(Math.round(endsAt / 1000) * 1000).toISOString())}`;

function openPlainView(stream: NodeJS.WriteStream): ConnectView {
  const last = new Map<string, string>();
  return {
    show(resource, state) {
      const { word, detail } = connectRow(resource, state, Date.now());
      // The count of open streams is for eyes that watch; in a log it would be noise.
      const line =
        state.state === 'ready'
          ? [`${word} · session ${state.session}`, ...(state.endsAt === undefined ? [] : [until(state.endsAt)])].join(
              ' · ',
            )
          : [word, detail].filter(Boolean).join(': ');
      if (last.get(resource) === line) return;
      last.set(resource, line);
      stream.write(`${resource} ${line}\n`);
    },
    notice: (line) => void stream.write(`${line}\n`),
    close: () => undefined,
  };
}
