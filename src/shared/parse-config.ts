import type * as z from 'zod';
import { UserError } from './errors.ts';

/** Parses one configuration value; a fault names where it stands and the key: `agent.yaml: resources.0.address: …`. */
export function parseConfig<S extends z.ZodType>(schema: S, value: unknown, where: string): z.infer<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const faults = result.error.issues.map((issue) => {
    const key = issue.path.length > 0 ? issue.path.join('.') : '(top level)';
    return `${key}: ${issue.message.endsWith('received undefined') ? 'is missing' : issue.message}`;
  });
  throw new UserError('HOOP_CONFIG', `${where}: ${faults.join('; ')}`, {
    next: 'correct the key; docs/configuration.md lists all keys',
  });
}
