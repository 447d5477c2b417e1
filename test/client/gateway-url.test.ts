import { describe, expect, test } from 'vitest';
import { normaliseGateway } from '../../src/client/gateway-url.ts';

describe('a gateway’s address', () => {
  test.each([
    'http://hoop.example.com',
    'http://127.0.0.1.example.com',
    'http://10.0.0.7:8009',
    'ftp://hoop.example.com',
    'https://user:secret@hoop.example.com',
    'hoop.example.com:8009',
    '',
  ])('%j is refused before anything is sent', (address) => {
    expect(() => normaliseGateway(address)).toThrow(expect.objectContaining({ code: 'HOOP_USAGE' }));
  });

  test.each([
    ['http://127.0.0.1:8009/', 'http://127.0.0.1:8009'],
    ['http://[::1]:8009', 'http://[::1]:8009'],
    ['http://localhost:8009', 'http://localhost:8009'],
    ['HTTPS://Hoop.Example.com/setup?x', 'https://hoop.example.com'],
  ])('%s is %s', (address, gateway) => {
    expect(normaliseGateway(address)).toBe(gateway);
  });

  test.each([
    'https://user:hunter2secret@hoop.example.com',
    'user:hunter2secret@hoop',
    'https://u:hunter2secret@h:99999',
  ])('a refused address is not repeated with the password in it: %s', (address) => {
    expect(() => normaliseGateway(address)).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('hunter2secret') }),
    );
  });
});
