import type { DeviceFacts } from './provider-configuration.ts';

/** A command line that waits for a person's answer: by a device code (RFC 8628), or at a loopback port of this browser (RFC 8252). */
export type Ask = DeviceAsk | BrowserAsk;

export interface DeviceAsk {
  kind: 'device';
  /** As stored: letters only. */
  userCode: string;
  facts: DeviceFacts;
}

export interface BrowserAsk {
  kind: 'browser';
  redirectUri: string;
  state: string;
  codeChallenge: string;
  facts: DeviceFacts;
}
