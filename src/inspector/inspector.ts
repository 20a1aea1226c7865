// The live page of a processor: one handler that any server can mount, and a server of its own on loopback. Reads are
// GET, acts are POST with the token; see access.ts. A bad request costs its own connection and nothing else.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import {
  ConfigurationError,
  InputError,
  JobNotFoundError,
  type JobProcessor,
  type JobState,
  type JobStatus,
  type Jobs,
  type ListQuery,
} from '../index.ts';
import { jobMachine } from '../machines/job.ts';
import { type AccessRules, loopbackNames, refuseActing, refuseReading } from './access.ts';
import { bodyOf } from './actBody.ts';
import { layOut } from './chartLayout.ts';
import { Feed } from './feed.ts';
import { checkMount, placeOf } from './mount.ts';

export interface InspectOptions {
  /** Default 0: a free one. Null: none, the page is mounted in a server of yours. */
  port?: number | null;
  /** Where it is mounted in a server of yours, `/ops` say. Default: at its root, or where Express says. */
  path?: string;
  /** The address to listen on. Default 127.0.0.1: this machine only. */
  host?: string;
  /** More names, without port, by which the page may be reached. */
  allowedHosts?: readonly string[];
  /** What acting wants. Default: a new one each time, printed in the log. */
  token?: string;
}

export interface Inspector extends AsyncDisposable {
  /** With the token, for the person who may act. Null where it does not listen itself. */
  readonly url: string | null;
  readonly token: string;
  /**
   * For a server of your own, node:http, Express or Fastify: answers a request to `path` or below it. Needs no `this`. A body
   * that was read before is taken from `request.body`.
   */
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void;
  close(): Promise<void>;
}

const mostConnections = 100;

const files: Record<string, { file: URL; type: string }> = {
  '/': { file: new URL('./page/index.html', import.meta.url), type: 'text/html; charset=utf-8' },
  '/page.js': { file: new URL('./page/page.js', import.meta.url), type: 'text/javascript; charset=utf-8' },
  '/page.css': { file: new URL('./page/page.css', import.meta.url), type: 'text/css; charset=utf-8' },
};
const library = 'htm/preact/standalone';

const securityHeaders = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};

class PageInspector implements Inspector {
  url: string | null = null;
  readonly token: string;
  readonly #processor: JobProcessor<Jobs>;
  readonly #logger: Logger;
  readonly #rules: AccessRules;
  readonly #feed: Feed;
  readonly #mount: string;
  #server: Server | null = null;
  #chart: string | null = null;

  constructor(
    processor: JobProcessor<Jobs>,
    logger: Logger,
    { host, allowedHosts = [], token, path }: InspectOptions,
  ) {
    this.#processor = processor;
    this.#logger = logger;
    this.token = token ?? randomBytes(24).toString('base64url');
    const names = [...loopbackNames, ...(host === undefined ? [] : [host]), ...allowedHosts];
    this.#rules = { hosts: new Set(names.map((name) => name.toLowerCase())), token: this.token };
    this.#feed = new Feed(processor);
    this.#mount = checkMount(path);
    // Express is given it alone.
    this.handle = this.handle.bind(this);
  }

  async listen(port: number, host: string): Promise<void> {
    const server = createServer((request, response) => this.handle(request, response));
    server.maxConnections = mostConnections;
    server.headersTimeout = 10_000;
    server.requestTimeout = 30_000;
    server.listen(port, host);
    await once(server, 'listening');
    server.unref();
    this.#server = server;
    const { port: bound, address, family } = server.address() as AddressInfo;
    this.url = `http://${family === 'IPv6' ? `[${address}]` : address}:${bound}${this.#mount}/`;
    this.#logger.info({ url: this.url }, `inspect: ${this.url}#token=${this.token}`);
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    response.on('error', () => {});
    this.#answer(request, response).catch((error: unknown) => {
      const status = httpStatusOf(error);
      if (status === 500) this.#logger.error({ err: error }, `inspect: ${(error as Error).message}`);
      send(response, status, { error: (error as Error).message });
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const place = placeOf(request, this.#mount);
    const isAct = request.method === 'POST';
    const refusal = (isAct ? refuseActing : refuseReading)(request, this.#rules);
    if (refusal !== null) return send(response, refusal.status, { error: refusal.message });
    if (place === null) return send(response, 404, { error: `${request.url}: no such page` });
    const { pathname, searchParams } = place.address;
    if (isAct) return this.#act(pathname, request, response);
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return send(response, 405, { error: 'GET or POST' });
    if (place.redirect !== null)
      return void secured(response).writeHead(307, { location: place.redirect }).end();
    if (pathname === '/events') return this.#feed.add(secured(response));
    if (pathname === '/favicon.ico') return send(response, 204, '');
    if (pathname === '/chart') {
      this.#chart ??= JSON.stringify(layOut(jobMachine));
      return send(response, 200, this.#chart, 'application/json');
    }
    if (pathname === '/queue') return send(response, 200, await this.#queue());
    if (pathname === '/jobs') return send(response, 200, await this.#list(searchParams));
    const id = /^\/jobs\/([^/]+)$/.exec(pathname)?.[1];
    if (id !== undefined)
      return send(response, 200, await (await this.#processor.get(decodeURIComponent(id))).status());
    if (pathname === '/library.js')
      return send(
        response,
        200,
        readFileSync(new URL(import.meta.resolve(library))),
        'text/javascript; charset=utf-8',
      );
    const found = files[pathname];
    if (found === undefined) return send(response, 404, { error: `${pathname}: no such page` });
    return send(response, 200, readFileSync(found.file), found.type);
  }

  async #list(params: URLSearchParams): Promise<{ jobs: JobStatus[]; next: string | null }> {
    const limit = Math.min(Number(params.get('limit') ?? 50), 500);
    const date = (name: string) => (params.has(name) ? new Date(params.get(name) as string) : undefined);
    const query: ListQuery<string> = {
      state: (params.get('state') as JobState | null) ?? undefined,
      name: params.get('name') ?? undefined,
      key: params.get('key') ?? undefined,
      from: date('from'),
      before: date('before'),
      after: params.get('after') ?? undefined,
      limit,
    };
    const jobs: JobStatus[] = [];
    for await (const job of this.#processor.list(query)) jobs.push(job);
    return { jobs, next: jobs.length === limit ? (jobs.at(-1)?.id ?? null) : null };
  }

  /** How many wait, and the one that is next: how long it has waited says how far behind the processor is. */
  async #queue(): Promise<{ length: number; next: JobStatus | null }> {
    const length = await this.#processor.jobQueue.size();
    for await (const id of this.#processor.jobQueue) {
      // Started meanwhile, and gone: asked again next time.
      const next = await this.#processor.get(id).then(
        (job) => job.status(),
        () => null,
      );
      return { length, next };
    }
    return { length, next: null };
  }

  async #act(pathname: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { by, reason } = await bodyOf(request);
    const who = `${by ?? 'somebody'} at ${request.socket.remoteAddress}`;
    const [, id = '', act = ''] = /^\/jobs\/([^/]+)\/(cancel|timeout|retry)$/.exec(pathname) ?? [];
    if (pathname === '/drain') {
      this.#logger.warn({ who }, `drain asked for on the page by ${who}`);
      this.#processor.drain().catch((error) => this.#logger.error({ err: error }, `drain: ${error.message}`));
      return send(response, 202, { drain: 'begun' });
    }
    if (act === '') return send(response, 404, { error: `${pathname}: no such act` });
    const job = await this.#processor.get(decodeURIComponent(id));
    this.#logger.warn({ who, jobId: job.id }, `${act} of job ${job.id} asked for on the page by ${who}`);
    if (act === 'cancel') return send(response, 200, await job.cancel(reason ?? `by ${who}`));
    if (act === 'timeout') return send(response, 200, await this.#processor.timeoutJob(job.id));
    return send(response, 200, await (await this.#processor.retry(job.id)).status());
  }

  async close(): Promise<void> {
    this.#feed.close();
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

export async function startInspector(
  processor: JobProcessor<Jobs>,
  logger: Logger,
  options: InspectOptions,
): Promise<Inspector> {
  const inspector = new PageInspector(processor, logger, options);
  const { port = 0, host = '127.0.0.1' } = options;
  if (port !== null) await inspector.listen(port, host);
  return inspector;
}

function secured(response: ServerResponse): ServerResponse {
  for (const [name, value] of Object.entries(securityHeaders)) response.setHeader(name, value);
  return response;
}

function send(response: ServerResponse, status: number, body: unknown, type = 'application/json'): void {
  if (response.headersSent) return void response.destroy();
  secured(response).writeHead(status, { 'content-type': type });
  response.end(typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body));
}

function httpStatusOf(error: unknown): number {
  if (error instanceof JobNotFoundError) return 404;
  return error instanceof ConfigurationError || error instanceof InputError || error instanceof URIError
    ? 400
    : 500;
}
