import { pino } from 'pino';
import type { Log } from '../shared/log.ts';
import { escapeControl } from './escape-control.ts';

/** What a long-running role says, on stderr: JSON lines for a collector, on a terminal one plain line for each. */
export function openOperatorLog(role: 'gateway' | 'agent', level: string, stream: NodeJS.WriteStream): Log {
  const options = { level, base: { role } };
  if (!stream.isTTY) return pino(options, pino.destination(2));
  return pino(options, { write: (line) => void stream.write(`${plainLogLine(line)}\n`) });
}

const levels: Record<number, string> = { 20: 'debug: ', 40: 'warning: ', 50: 'error: ', 60: 'error: ' };

/** `23:55:26 linked · agent db-agent · resources orders-db`; names and errors in it came from elsewhere. */
export function plainLogLine(json: string): string {
  const { level, time, role: _role, msg, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const clock = new Date(Number(time)).toTimeString().slice(0, 8);
  const told = Object.entries(fields)
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => ` · ${name} ${written(value)}`);
  return escapeControl(`${clock} ${levels[Number(level)] ?? ''}${String(msg)}${told.join('')}`);
}

function written(value: unknown): string {
  if (Array.isArray(value)) return value.map(written).join(', ');
  return typeof value === 'string' ? value : JSON.stringify(value);
}
