// The live page of a processor: one handler that any server can mount, and a server of its own on loopback. Reads are
// GET, acts are POST with the token; see access.ts. A bad request costs its own connection and nothing else.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { ConfigurationError, InputError, JobNotFoundError, type JobProcessor, type Jobs } from '../index.ts';
import { jobMachine } from '../machines/job.ts';
import type { Inspection } from '../runtime/inspection.ts';
import { checkNumber } from '../runtime/settings.ts';
import { openPrometheus, type Prometheus } from '../runtime/telemetry/prometheus.ts';
import {
  type AccessRules,
  loopbackNames,
  namesOf,
  refuseActing,
  refuseReading,
  refuseSocket,
} from './access.ts';
import { ActorFeed } from './actorFeed.ts';
import { layOut } from './chartLayout.ts';
import { Feed } from './feed.ts';
import { JobLines } from './jobLines.ts';
import { checkMount, placeOf } from './mount.ts';
import { Redaction } from './redaction.ts';
import { Requests } from './requests.ts';
import { InspectorSockets, type Protocol } from './sockets.ts';
import { type StatelyWire, statelyWire } from './stately.ts';
import { xstate4Watcher } from './xstate4.ts';

/** Of `JobProcessor.inspect`. */
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
  /** Secrets in inputs, checkpoints, results, log lines and events, as paths of pino's `redact` that count from each of these. */
  redact?: readonly string[];
  /** Default false. True: the Stately Inspector is served as well, by the package `@statelyai/inspect`. */
  stately?: boolean;
  /**
   * Default false. True: `/metrics` is served as well, for Prometheus, by the packages `@opentelemetry/exporter-prometheus` and
   * `@opentelemetry/sdk-metrics`. Counts begin when the inspector is opened.
   */
  metrics?: boolean;
  /** Origins of other pages whose state-chart inspectors may read, `https://stately.ai` say. They cannot act. */
  allowedOrigins?: readonly string[];
}

/** A live page that is being served, or mounted. */
export interface Inspector extends AsyncDisposable {
  /** Its address, to read; with `#token=` and the token behind it, to act. Null where it does not listen itself. */
  readonly url: string | null;
  readonly token: string;
  /**
   * For a server of your own, node:http, Express or Fastify: answers a request to `path` or below it. Needs no `this`. A body
   * that was read before is taken from `request.body`.
   */
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void;
  /**
   * For a server of your own, for its `upgrade` event: the WebSockets of the state-chart inspectors, `xstate` and `stately`,
   * at and below `path` as `handle` answers there.
   */
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** Ends all its connections. `stop()` of the processor does it too. */
  close(): Promise<void>;
}

const mostConnections = 100;

const page = new URL('./page/', import.meta.url);
const types: Record<string, string> = { html: 'text/html', js: 'text/javascript', css: 'text/css' };
/** By address: what a browser may load. */
const files = new Map(
  readdirSync(page).flatMap((file) => {
    const type = types[file.slice(file.indexOf('.') + 1)];
    const address = file === 'index.html' ? '/' : `/${file}`;
    return type === undefined
      ? []
      : [[address, { file: new URL(file, page), type: `${type}; charset=utf-8` }]];
  }),
);
const library = 'htm/preact/standalone';

const ownOnly =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const securityHeaders = {
  'content-security-policy': ownOnly,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};

class PageInspector implements Inspector {
  url: string | null = null;
  readonly token: string;
  readonly #logger: Logger;
  readonly #rules: AccessRules;
  readonly #feed: Feed;
  readonly #mount: string;
  readonly #inspection: Inspection;
  readonly #redaction: Redaction;
  readonly #lines = new JobLines();
  readonly #requests: Requests;
  #unwatchLines: (() => void) | null = null;
  #forget: (() => void) | null = null;
  #isClosed = false;
  readonly #sockets: InspectorSockets;
  readonly #isStately: boolean;
  readonly #prometheus: Prometheus | null;
  #detachMetrics: (() => void) | null = null;
  #server: Server | null = null;
  #chart: string | null = null;

  constructor(
    processor: JobProcessor<Jobs>,
    inspection: Inspection,
    logger: Logger,
    { host, allowedHosts = [], token, path, redact = [], allowedOrigins = [] }: InspectOptions,
    stately: StatelyWire | null,
    prometheus: Prometheus | null,
  ) {
    this.#redaction = new Redaction(redact);
    this.#inspection = inspection;
    this.#logger = logger;
    this.token = token ?? randomBytes(24).toString('base64url');
    const names = [...loopbackNames, ...(host === undefined ? [] : namesOf(host)), ...allowedHosts];
    this.#rules = {
      hosts: new Set(names.map((name) => name.toLowerCase())),
      token: this.token,
      origins: new Set(allowedOrigins),
    };
    this.#feed = new Feed(processor, inspection);
    this.#requests = new Requests({
      processor,
      inspection,
      logger,
      lines: this.#lines,
      redaction: this.#redaction,
    });
    this.#mount = checkMount(path);
    // Servers are given them alone.
    this.handle = this.handle.bind(this);
    this.upgrade = this.upgrade.bind(this);
    this.#prometheus = prometheus;
    this.#isStately = stately !== null;
    this.#sockets = new InspectorSockets(this.#protocols(stately), logger);
  }

  #protocols(stately: StatelyWire | null): Map<string, Protocol> {
    const actors = new ActorFeed(this.#inspection, this.#logger);
    const begin = (wire: StatelyWire) => (send: (message: object) => void) =>
      actors.add(wire(send, this.#redaction));
    const isGreeting = (message: unknown) => (message as { type?: unknown })?.type === 'xstate.inspecting';
    const protocols = new Map<string, Protocol>();
    protocols.set('/xstate', { greeting: isGreeting, begin: begin(xstate4Watcher) });
    if (stately !== null) protocols.set('/stately', { greeting: null, begin: begin(stately) });
    return protocols;
  }

  /** From here on it has to be closed. */
  open(): void {
    this.#unwatchLines = this.#inspection.watchLines((line) => this.#lines.add(line));
    this.#forget = this.#inspection.onStop(() => this.close());
    if (this.#prometheus !== null)
      this.#detachMetrics = this.#inspection.attachMetrics(this.#prometheus.meterProvider);
  }

  async listen(port: number, host: string): Promise<void> {
    const server = createServer((request, response) => this.handle(request, response));
    server.maxConnections = mostConnections;
    server.headersTimeout = 10_000;
    server.requestTimeout = 30_000;
    server.on('upgrade', (request, socket, head) => this.upgrade(request, socket, head));
    server.listen(port, host);
    await once(server, 'listening');
    server.unref();
    this.#server = server;
    const { port: bound, address, family } = server.address() as AddressInfo;
    this.url = `http://${family === 'IPv6' ? `[${address}]` : address}:${bound}${this.#mount}/`;
    this.#logger.info({ url: this.url }, `inspect: ${this.url}#token=${this.token}`);
    if (this.#isStately) this.#logger.info(`inspect: Stately Inspector at ${this.url}stately.html`);
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    response.on('error', () => {});
    this.#answer(request, response).catch((error: unknown) => {
      const status = httpStatusOf(error);
      if (status === 500) this.#logger.error({ err: error }, `inspect: ${(error as Error).message}`);
      send(response, status, { error: (error as Error).message });
    });
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const place = placeOf(request, this.#mount);
    // Another's, in a server that both are in.
    if (place === null && this.#mount !== '') return;
    socket.on('error', () => {});
    const refusal = refuseSocket(request, this.#rules);
    const pathname = place?.address.pathname ?? '/';
    if (this.#isClosed) turnAway(socket, 503, 'the inspector is closed');
    else if (refusal !== null) turnAway(socket, refusal.status, refusal.message);
    else if (!this.#sockets.accept(pathname, request, socket, head))
      turnAway(socket, 404, `${pathname}: no such WebSocket`);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.#isClosed) return send(response, 503, { error: 'the inspector is closed' });
    const place = placeOf(request, this.#mount);
    const isAct = request.method === 'POST';
    const refusal = (isAct ? refuseActing : refuseReading)(request, this.#rules);
    if (refusal !== null) return send(response, refusal.status, { error: refusal.message });
    if (place === null) return send(response, 404, { error: `${request.url}: no such page` });
    const { pathname, searchParams } = place.address;
    if (isAct) {
      const { status, answer } = await this.#requests.act(pathname, request);
      return send(response, status, answer);
    }
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return send(response, 405, { error: 'GET or POST' });
    if (place.redirect !== null)
      return void secured(response).writeHead(307, { location: place.redirect }).end();
    if (pathname === '/events') return this.#feed.add(secured(response));
    if (pathname === '/metrics' && this.#prometheus !== null)
      return this.#prometheus.handle(request, secured(response));
    if (pathname === '/favicon.ico') return send(response, 204, '');
    if (pathname === '/chart') {
      this.#chart ??= JSON.stringify(layOut(jobMachine));
      return send(response, 200, this.#chart, 'application/json');
    }
    const read = await this.#requests.read(pathname, searchParams);
    if (read !== null) return send(response, 200, read);
    if (pathname === '/library.js')
      return send(
        response,
        200,
        readFileSync(new URL(import.meta.resolve(library))),
        'text/javascript; charset=utf-8',
      );
    const found = files.get(pathname);
    if (found === undefined || (pathname.startsWith('/stately.') && !this.#isStately))
      return send(response, 404, { error: `${pathname}: no such page` });
    secured(response);
    // The one page that needs another.
    if (pathname === '/stately.html')
      response.setHeader('content-security-policy', `${ownOnly}; frame-src https://stately.ai`);
    response.writeHead(200, { 'content-type': found.type }).end(readFileSync(found.file));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#feed.close();
    this.#unwatchLines?.();
    this.#forget?.();
    this.#sockets.close();
    this.#detachMetrics?.();
    await this.#prometheus?.close();
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
  inspection: Inspection,
  logger: Logger,
  options: InspectOptions,
): Promise<Inspector> {
  const { port = 0, host = '127.0.0.1' } = options;
  const stately = options.stately === true ? await statelyWire() : null;
  const prometheus = options.metrics === true ? await openPrometheus('metrics') : null;
  const inspector = new PageInspector(processor, inspection, logger, options, stately, prometheus);
  checkNumber(
    'port',
    port ?? undefined,
    'a whole number from 0 to 65535, or null',
    (n) => n >= 0 && n < 65536 && Number.isInteger(n),
  );
  if (port !== null) await inspector.listen(port, host);
  inspector.open();
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

function turnAway(socket: Duplex, status: number, message: string): void {
  const body = JSON.stringify({ error: message });
  // Whether or not the other side ends its own half.
  socket.once('finish', () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

function httpStatusOf(error: unknown): number {
  if (error instanceof JobNotFoundError) return 404;
  return error instanceof ConfigurationError || error instanceof InputError || error instanceof URIError
    ? 400
    : 500;
}
