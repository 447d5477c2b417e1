import { expect, test } from 'vitest';
import { makeVerifier, startClient, startServer } from '../../../src/protocol/postgres/scram.ts';

const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64');

/** RFC 7677, section 3. */
const vector = {
  clientNonce: 'rOprNGfwEbeRWgbNEkqO',
  serverNonce: '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
  clientFirst: 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
  serverFirst: 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
  clientFinal:
    'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
  serverFinal: 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
};

test('the server gives the answers of RFC 7677', async () => {
  const exchange = startServer(vector.clientFirst, await makeVerifier('pencil', salt, 4096), vector.serverNonce);
  expect(exchange.serverFirst).toBe(vector.serverFirst);
  expect(exchange.finish(vector.clientFinal)).toBe(vector.serverFinal);
});

test.each(['pencil', 'pässwörd', 'emoji 🔑', 'ﬁ\u00A0x\u00AD'])('both sides agree on %j', async (password) => {
  const client = startClient({ password, nonce: 'abcdefgh' });
  const server = startServer(client.clientFirst, await makeVerifier(password, salt, 4096), 'XYZ');
  const final = server.finish(await client.proof(server.serverFirst));
  expect(final).toBeDefined();
  client.checkServer(final!);
});

test('a wrong password proves nothing', async () => {
  const client = startClient({ password: 'pencil', nonce: 'abcdefgh' });
  const server = startServer(client.clientFirst, await makeVerifier('pen', salt, 4096), 'XYZ');
  expect(server.finish(await client.proof(server.serverFirst))).toBeUndefined();
});

test('a server that does not know the password is found out', async () => {
  const client = startClient({ password: 'pencil', nonce: 'abcdefgh' });
  expect(() => client.checkServer(vector.serverFinal)).toThrow('could not prove');
  await client.proof(`r=abcdefghXYZ,s=${salt.toString('base64')},i=4096`);
  expect(() => client.checkServer(vector.serverFinal)).toThrow('could not prove');
  expect(() => client.checkServer('e=other-error')).toThrow('could not prove');
});

test.each([
  ['a nonce that is not ours', 'r=other,s=AAAA,i=4096', 'does not continue ours'],
  ['our nonce and nothing of the server’s', 'r=abcdefgh,s=AAAA,i=4096', 'does not continue ours'],
  ['an endless nonce', `r=abcdefgh${'x'.repeat(300)},s=AAAA,i=4096`, 'does not continue ours'],
  ['too few iterations', 'r=abcdefghX,s=AAAA,i=1', '4096 to 1000000 are accepted'],
  ['iterations for hours', 'r=abcdefghX,s=AAAA,i=999999999', '4096 to 1000000 are accepted'],
  ['iterations beyond a number', `r=abcdefghX,s=AAAA,i=${'9'.repeat(30)}`, 'malformed'],
  ['no salt', 'r=abcdefghX,i=4096', 'malformed'],
  ['an error', 'e=unknown-user', 'malformed'],
])('a hostile server with %s is refused', async (_, serverFirst, message) => {
  const client = startClient({ password: 'pencil', nonce: 'abcdefgh' });
  await expect(client.proof(serverFirst)).rejects.toThrow(message);
});

test.each([
  ['channel binding that was not offered', 'p=tls-server-end-point,,n=,r=abc'],
  ['a mandatory extension', 'n,,m=x,n=,r=abc'],
  ['another identity', 'n,a=admin'],
  ['no nonce', 'n,,n=,r='],
  ['an endless nonce', `n,,n=,r=${'x'.repeat(300)}`],
  ['nothing', ''],
])('a client-first message with %s is refused', async (_, clientFirst) => {
  const verifier = await makeVerifier('pencil', salt, 4096);
  expect(() => startServer(clientFirst, verifier, 'XYZ')).toThrow('malformed SCRAM client-first');
});

test.each([
  ['the nonce of another exchange', vector.clientFinal.replace('hNlF$k0', 'hNlF$k1')],
  ['another binding than it began with', vector.clientFinal.replace('c=biws', 'c=eSws')],
  ['no proof', vector.clientFinal.replace(/,p=.*/, '')],
])('a client-final message with %s is refused', async (_, clientFinal) => {
  const exchange = startServer(vector.clientFirst, await makeVerifier('pencil', salt, 4096), vector.serverNonce);
  expect(() => exchange.finish(clientFinal)).toThrow('malformed SCRAM client-final');
});

test('a proof of another length is a wrong password', async () => {
  const exchange = startServer(vector.clientFirst, await makeVerifier('pencil', salt, 4096), vector.serverNonce);
  expect(exchange.finish(vector.clientFinal.replace(/,p=.*/, ',p=AAAA'))).toBeUndefined();
});

test('channel binding enters the proof, and its absence is told to the server', async () => {
  const bound = startClient({ password: 'pencil', nonce: 'abcdefgh', channelBinding: Buffer.from('hash') });
  expect(bound.clientFirst).toBe('p=tls-server-end-point,,n=,r=abcdefgh');
  const proof = await bound.proof('r=abcdefghX,s=AAAA,i=4096');
  const binding = /^c=([^,]+),/.exec(proof)![1]!;
  expect(Buffer.from(binding, 'base64').toString()).toBe('p=tls-server-end-point,,hash');
  expect(startClient({ password: 'p', nonce: 'abcdefgh', couldBind: true }).clientFirst).toBe('y,,n=,r=abcdefgh');
});

test('more passwords than are remembered: each proof is that of its own', async () => {
  const proofOf = (password: string) => startClient({ password, nonce: 'abcdefgh' }).proof('r=abcdefghX,s=AAAA,i=4096');
  const passwords = Array.from({ length: 20 }, (_, number) => `password ${number}`);
  const proofs = await Promise.all(passwords.map(proofOf));
  expect(new Set(proofs).size).toBe(20);
  expect(await Promise.all(passwords.map(proofOf))).toEqual(proofs);
});
