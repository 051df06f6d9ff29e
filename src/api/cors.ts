import type { RequestHandler } from 'express';

const exposed = 'Location, Retry-After, X-Request-Id, Idempotency-Replayed, Preference-Applied';
const accepted = 'Authorization, Content-Type, Idempotency-Key, Prefer, Range, X-Request-Id';

/** Browsers of these origins only, and without cookies: the key is in a header. */
export const allowOrigins =
  (origins: readonly string[]): RequestHandler =>
  (request, response, next) => {
    const origin = request.get('Origin');
    response.vary('Origin');
    if (origin === undefined || !origins.includes(origin)) {
      next();
      return;
    }
    response.set({ 'Access-Control-Allow-Origin': origin, 'Access-Control-Expose-Headers': exposed });
    response.set('Cross-Origin-Resource-Policy', 'cross-origin');
    if (request.method !== 'OPTIONS' || request.get('Access-Control-Request-Method') === undefined) {
      next();
      return;
    }
    response.set({ 'Access-Control-Allow-Methods': 'GET, POST', 'Access-Control-Allow-Headers': accepted });
    response.set('Access-Control-Max-Age', '600').sendStatus(204);
  };
