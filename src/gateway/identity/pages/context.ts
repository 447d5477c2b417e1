import type { FastifyReply } from 'fastify';
import type { Registry } from '../../../store/registry.ts';
import type { FormGuard } from '../form-guard.ts';
import type { Identity } from '../identity.ts';
import type { View } from './views.ts';

export interface PageParts {
  identity: Identity;
  registry: Registry;
}

/** What every page route is given. */
export interface PageContext extends PageParts {
  guard: FormGuard;
  show: (reply: FastifyReply, view: View, status?: number) => FastifyReply;
}

export type Form = Record<string, string>;

/** Error messages are clauses; on a page they are sentences. */
export const sentence = (text: string): string =>
  text === '' ? '' : `${text[0]?.toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
