// Where in the page a request is, whoever has mounted it. node:http and Fastify hand a request over with its address in their
// server, and so the inspector is told its `path`; Express cuts that off and keeps the whole as `originalUrl`.

import type { IncomingMessage } from 'node:http';
import { ConfigurationError } from '../index.ts';

export interface Place {
  /** Counts from where the page is mounted. */
  readonly address: URL;
  /** Where the page is instead: its own addresses count from a slash at its end. */
  readonly redirect: string | null;
}

const base = 'http://page';

/** Null: outside of the page. `mount`: its path, without a slash at its end; empty where that of `request.url` is cut off. */
export function placeOf(
  request: IncomingMessage & { readonly originalUrl?: string },
  mount: string,
): Place | null {
  const { url = '/', originalUrl = url } = request;
  const whole = URL.parse(originalUrl, base);
  if (whole === null) return null;
  const { pathname, search } = whole;
  if (mount !== '' && pathname !== mount && !pathname.startsWith(`${mount}/`)) return null;
  const address = URL.parse(mount === '' ? url : `${base}${pathname.slice(mount.length)}${search}`, base);
  if (address === null) return null;
  const last = pathname.split('/').at(-1);
  return { address, redirect: address.pathname === '/' && last !== '' ? `./${last}/${search}` : null };
}

/** Throws ConfigurationError. */
export function checkMount(path: string | undefined): string {
  if (path === undefined) return '';
  if (typeof path !== 'string' || !/^(\/[\w.~-]+)+$/.test(path))
    throw new ConfigurationError('path', 'a path without a slash at its end, /ops say', JSON.stringify(path));
  return path;
}
