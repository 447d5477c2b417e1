import type * as z from 'zod';
import { userCreatedSchema, usersSchema, type createUserSchema } from '../../shared/api.ts';
import type { GatewayApi } from '../gateway-api.ts';

const path = (name: string): string => `/users/${encodeURIComponent(name)}`;

export const listUsers = (api: GatewayApi) => api.get(usersSchema, '/users');
export const createUser = (api: GatewayApi, user: z.input<typeof createUserSchema>) =>
  api.post(userCreatedSchema, '/users', user);
export const removeUser = (api: GatewayApi, name: string) => api.delete(path(name));
export const inviteUser = (api: GatewayApi, name: string) =>
  api.post(userCreatedSchema.shape.invitation.unwrap(), `${path(name)}/invitation`);
