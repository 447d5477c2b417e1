import type { FastifyInstance, FastifyRequest } from 'fastify';
import { UserError } from '../../../shared/errors.ts';
import { limits } from '../../../shared/limits.ts';
import { FormGuard } from '../form-guard.ts';
import { sentence, type PageContext, type PageParts } from './context.ts';
import { registerAccountPages } from './account-routes.ts';
import { registerBrowserPages } from './browser-routes.ts';
import { registerDevicePages } from './device-routes.ts';
import { layout, pageHeaders } from './layout.ts';
import { registerUpstreamPages } from './upstream-routes.ts';
import { faultView, type View } from './views.ts';

/** The HTML pages, in a scope of their own: forms in, pages out, errors as pages. */
export function registerPages(app: FastifyInstance, parts: PageParts): void {
  const host = new URL(parts.identity.publicUrl).host;
  const show: PageContext['show'] = (reply, view, status = 200) =>
    reply
      .code(status)
      .headers(pageHeaders)
      .send(layout({ ...view, host }));
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: limits.formBytesMax },
    (_request, body, done) => done(null, Object.fromEntries(new URLSearchParams(String(body)))),
  );
  app.setErrorHandler((error: Error & { statusCode?: number }, request: FastifyRequest, reply) => {
    const status = error instanceof UserError ? statusOfPage(error) : (error.statusCode ?? 500);
    if (status >= 500) request.log.error({ error: String(error) }, 'a page failed');
    return show(reply, errorView(error, status), status);
  });
  const guard = new FormGuard(parts.registry.keys.cookie, parts.identity.publicUrl);
  const context = { ...parts, guard, show };
  registerDevicePages(app, context);
  registerBrowserPages(app, context);
  registerUpstreamPages(app, context);
  if (parts.identity.options.localUsers) registerAccountPages(app, context);
}

const statusOfPage = (error: UserError): number => (error.code === 'HOOP_LIMIT' ? 429 : 403);

function errorView(error: Error, status: number): View {
  if (error instanceof UserError)
    return faultView('That did not work', sentence(error.message), sentence(error.next ?? ''));
  if (status === 413) return faultView('Too much', 'The form was too large.', 'Open the link again.');
  if (status < 500) return faultView('That did not work', 'The request was not understood.', 'Open the link again.');
  return faultView(
    'Something broke',
    'That was our fault, not yours.',
    'Try again; if it stays so, tell your administrator.',
  );
}
