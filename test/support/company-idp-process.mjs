// A company's identity provider, as a process of its own: oidc-provider with a sign-in page, one client, and the people below.
// Prints its issuer. Arguments: the client's redirect URI.
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const people = {
  alice: { email: 'Alice@corp.example', email_verified: true, groups: ['data', 'Data Team', 'platform-admins'] },
  bob: { email: 'bob@corp.example', email_verified: true, groups: ['data'] },
  'bob-of-sales': { email: 'bob@sales.corp.example', email_verified: true, groups: [] },
  mallory: { email: 'alice@evil.example', email_verified: true, groups: ['platform-admins'] },
  eve: { email: 'alice@corp.example', email_verified: false, groups: ['platform-admins'] },
};

const server = createServer((request, response) => void answer(request, response));
server.listen(Number(process.argv[3] ?? 0), '127.0.0.1', () => console.log(issuer()));
const issuer = () => `http://127.0.0.1:${server.address().port}`;

let provider;
function made() {
  provider ??= new Provider(issuer(), {
    clients: [{ client_id: 'hoop', client_secret: 'a secret of the client', redirect_uris: [process.argv[2]] }],
    claims: { email: ['email', 'email_verified'], groups: ['groups'], profile: [] },
    cookies: { keys: ['a key of the test'] },
    features: { devInteractions: { enabled: false } },
    findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
    interactions: { url: (_ctx, { uid }) => `/sign-in/${uid}` },
    loadExistingGrant: async (ctx) => {
      const grant = new ctx.oidc.provider.Grant({
        clientId: ctx.oidc.client.clientId,
        accountId: ctx.oidc.account.accountId,
      });
      grant.addOIDCScope('openid email profile groups');
      await grant.save();
      return grant;
    },
    renderError: (ctx, out) => {
      ctx.body = JSON.stringify(out);
    },
  });
  return provider;
}

async function answer(request, response) {
  if (!request.url.startsWith('/sign-in/')) return made().callback()(request, response);
  if (request.method === 'GET') {
    response.setHeader('content-type', 'text/html');
    return response.end(`<!doctype html><html lang="en"><title>Acme</title><h1>Acme</h1><form method="post">
      <label>Account <input name="account"></label>
      <button name="do" value="yes">Sign in</button><button name="do" value="no">Cancel</button></form></html>`);
  }
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const form = new URLSearchParams(Buffer.concat(chunks).toString());
  const result =
    form.get('do') === 'yes'
      ? { login: { accountId: form.get('account') } }
      : { error: 'access_denied', error_description: 'no' };
  return made().interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}
