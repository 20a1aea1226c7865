// Who may read the page, and who may act. Reading: a browser that reached this server by a name it was told to answer to
// (a foreign page that points its own name here is refused: DNS rebinding), from the page itself. Acting: whoever holds
// the token as well.

import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

export interface AccessRules {
  /** Names, without port, by which the server may be reached. */
  readonly hosts: ReadonlySet<string>;
  readonly token: string;
  /** Other pages that may read by WebSocket: an inspector on the web, say. */
  readonly origins: ReadonlySet<string>;
}

export interface Refusal {
  readonly status: 401 | 403;
  readonly message: string;
}

export const loopbackNames = ['localhost', '127.0.0.1', '[::1]'];

/** As browsers write the address of a host that is listened on. */
export function namesOf(host: string): string[] {
  const name = URL.parse(`http://${host.includes(':') ? `[${host}]` : host}/`)?.hostname;
  return name === undefined ? [] : [name];
}

/** Null: it may read. */
export function refuseReading(request: IncomingMessage, rules: AccessRules): Refusal | null {
  return refuseHost(request, rules) ?? refuseForeign(request);
}

/** Browsers let any page open a WebSocket to anywhere: those that may are named. Null: it may read. */
export function refuseSocket(request: IncomingMessage, rules: AccessRules): Refusal | null {
  const isNamed = rules.origins.has(request.headers.origin ?? '');
  return refuseHost(request, rules) ?? (isNamed ? null : refuseForeign(request));
}

function refuseHost({ headers }: IncomingMessage, { hosts }: AccessRules): Refusal | null {
  const host = headers.host ?? '';
  const name = host.replace(/:\d+$/, '').toLowerCase();
  if (!hosts.has(name))
    return { status: 403, message: `host: expected ${[...hosts].join(', ')}, got ${name || 'none'}.` };
  return null;
}

/** From a page that is not this one. */
function refuseForeign({ headers }: IncomingMessage): Refusal | null {
  const { host, origin } = headers;
  if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`)
    return { status: 403, message: 'origin: expected the page itself, got another one.' };
  const site = headers['sec-fetch-site'];
  if (site === 'cross-site' || site === 'same-site')
    return { status: 403, message: 'expected a request of the page itself, got one of another site.' };
  return null;
}

/** Null: it may act. */
export function refuseActing(request: IncomingMessage, rules: AccessRules): Refusal | null {
  const refusal = refuseReading(request, rules);
  if (refusal !== null) return refusal;
  const given = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
  if (given === undefined)
    return { status: 401, message: 'token: expected the one that was printed at the start, got none.' };
  if (!timingSafeEqual(digest(given), digest(rules.token)))
    return {
      status: 401,
      message: 'token: expected the one that was printed at the start, got another one.',
    };
  return null;
}

/** Of one length, so that the time of the comparison tells nothing. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
