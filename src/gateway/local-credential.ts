import { createHmac } from 'node:crypto';

/**
 * The password of a session's local port: derived, not stored, so that a successor session (same root) has the same one even after a
 * restart of the gateway, and nothing at rest can leak it. 192 bits.
 */
export function localPassword(credentialKey: Uint8Array, root: string, user: string, resource: string): string {
  return createHmac('sha256', credentialKey)
    .update(`hoop local credential v1\n${root}\n${user}\n${resource}`)
    .digest('base64url')
    .slice(0, 32);
}

/** The user that client programs give at the local port; the resource's own user never leaves the agent. */
export const localUser = 'hoop';
