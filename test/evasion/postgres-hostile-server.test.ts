/** A resource that is not what it says: what the agent and the gateway let it do, and what the record shows. No real server does this, so it is scripted. */
import { describe, expect, it } from 'vitest';
import { dial } from '../../src/agent/transport.ts';
import { backend } from '../../src/protocol/postgres/backend.ts';
import { backendType, encodeMessage, encodeReadyForQuery, int32 } from '../../src/protocol/postgres/messages.ts';
import type { Duplex } from '../../src/shared/duplex.ts';
import { answer } from '../support/backend-messages.ts';
import { say } from '../support/frontend-messages.ts';
import { RecordedGateway } from '../support/recorded-gateway.ts';
import { listen } from '../support/tcp.ts';

const authentication = (kind: number, rest = ''): Uint8Array =>
  encodeMessage(backendType.authentication, int32(kind), Buffer.from(rest));
const welcome = Buffer.concat([authentication(0), encodeReadyForQuery('I')]);
/** Only the first five bytes of a message of that length. */
const announced = (type: string, length: number): Buffer => {
  const header = Buffer.alloc(5);
  header.write(type, 'latin1');
  header.writeUInt32BE(length, 1);
  return header;
};

/** A server that answers each chunk that it gets with the next of these, and then says nothing. */
async function scripted(...answers: Uint8Array[]): Promise<RecordedGateway> {
  const script = async (duplex: Duplex) => {
    for (const one of answers) {
      if ((await duplex.read()) === null) return;
      await duplex.write(one);
    }
    while ((await duplex.read()) !== null);
  };
  const server = await listen((duplex) => script(duplex).catch(() => undefined));
  const { port } = server;
  return RecordedGateway.before({
    port,
    user: 'app',
    password: 'a resource secret',
    database: 'orders',
    kind: 'scripted',
    stop: () => server.close(),
  });
}

describe('in its login (CVE-2026-6664, CVE-2026-6665, CVE-2026-6666)', () => {
  it.each<[string, Uint8Array[], string]>([
    [
      'asks for a billion rounds of hashing',
      [authentication(10, 'SCRAM-SHA-256\0\0'), authentication(11, 'r=x,s=AAAA,i=1000000000')],
      'SCRAM',
    ],
    [
      'sends a nonce that is not ours',
      [authentication(10, 'SCRAM-SHA-256\0\0'), authentication(11, 'r=theirs,s=AAAA,i=4096')],
      'nonce',
    ],
    [
      'refuses without SQLSTATE, severity or message',
      [encodeMessage(backendType.errorResponse, Buffer.of(0))],
      'SQLSTATE',
    ],
    ['announces two gigabytes', [announced('R', 2 ** 31 - 1)], 'length'],
    ['asks for the password in clear text', [authentication(3)], 'clear text'],
  ])('%s: the client is told, the record says that nothing ran', async (_, answers, word) => {
    await using gateway = disposable(await scripted(...answers));
    const session = await gateway.session();
    const refused = await session.open().then(
      () => 'let in',
      (error: unknown) => String(error),
    );
    expect(refused).toContain(word);
    expect(refused).not.toContain('a resource secret');
    const { statements, refusals } = await session.record();
    expect(refusals).toEqual(['HOOP_RESOURCE_UNREACHABLE']);
    expect(statements.map(({ verb }) => verb)).toEqual(['refusal']);
  });

  it.each(['SR\0\0\0\x08\0\0\0\0', 'SE', 'NR\0\0\0\x08\0\0\0\0'])(
    'bytes behind its answer to SSLRequest (%j) are not taken for what came through TLS (CVE-2021-23222, CVE-2021-3935, CVE-2021-43766)',
    async (said) => {
      const heard: Buffer[] = [];
      const server = await listen(async (duplex) => {
        heard.push(Buffer.from((await duplex.read())!));
        await duplex.write(Buffer.from(said, 'latin1'));
        for (let bytes = await duplex.read(); bytes; bytes = await duplex.read()) heard.push(Buffer.from(bytes));
      });
      const tls = { mode: 'prefer' } as const;
      const credentials = { user: 'app', password: 'a resource secret', database: 'orders' };
      const address = `127.0.0.1:${server.port}`;
      const connecting = backend.connect({
        dial: () => dial({ address, tls }),
        tlsMode: 'prefer',
        credentials,
        startup: { parameters: {} },
        label: 'hoop',
        randomBytes: (size) => Buffer.alloc(size, 7),
      });
      await expect(connecting).rejects.toMatchObject({ message: expect.stringContaining('one byte') });
      await server.close();
      expect(Buffer.concat(heard).length).toBe(8); // the SSLRequest, and no more: no user, no password
    },
  );
});

describe('in the session (CVE-2026-6664, CVE-2026-6665, CVE-2026-6666)', () => {
  it.each<[string, Uint8Array, string]>([
    ['announces a RowDescription of two gigabytes', announced('T', 2 ** 31 - 1), 'message-too-long'],
    ['announces one of four gigabytes', announced('T', 2 ** 32 - 1), 'bad-length'],
    [
      'describes 65,535 columns in two bytes',
      encodeMessage(backendType.rowDescription, Buffer.from([0xff, 0xff])),
      'bad-message',
    ],
    ['begins to replicate (CopyBothResponse)', answer.copyBoth(), 'desync'],
    ['sends rows that nobody described', answer.row('x'), 'desync'],
    ['says that a Bind succeeded', answer.bound(), 'desync'],
    ['completes the statement twice', Buffer.concat([answer.ready(), answer.complete('SELECT 1')]), 'desync'],
    ['asks for a password', authentication(3), 'desync'],
  ])('%s: the stream ends, and the record says unknown of what was asked', async (_, said, reason) => {
    await using gateway = disposable(await scripted(welcome, said));
    const session = await gateway.session();
    const client = await session.open();
    client.send(say.query('select 1'));
    await client.until(() => client.isClosed || client.types().includes('E'));
    const { statements, refusals } = await session.record();
    expect(refusals).toEqual([reason]);
    expect(statements.map(({ verb, outcome }) => [verb, outcome?.status])).toEqual([
      ['query', 'unknown'],
      ['refusal', 'refused'],
    ]);
  });

  it('an error without SQLSTATE or message is the outcome that it is: an error', async () => {
    const error = encodeMessage(backendType.errorResponse, Buffer.of(0));
    await using gateway = disposable(await scripted(welcome, Buffer.concat([error, encodeReadyForQuery('I')])));
    const session = await gateway.session();
    const client = await session.open();
    client.received.length = 0;
    client.send(say.query('select 1'));
    expect(await client.ready()).toBe('EZ');
    expect((await session.record()).statements).toMatchObject([
      { text: 'select 1', outcome: { status: 'error', errorCode: '', errorMessage: '' } },
    ]);
  });
});

const disposable = (gateway: RecordedGateway): RecordedGateway & AsyncDisposable =>
  Object.assign(gateway, { [Symbol.asyncDispose]: () => gateway.close() });
