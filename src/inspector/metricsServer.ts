// A server of its own for the metrics of a worker: it answers GET /metrics and nothing else. On loopback it answers to the names of
// loopback only, as the page does; who has it listen elsewhere wants others to read, by whatever name they reach it.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, BlockList } from 'node:net';
import type { Prometheus } from '../runtime/telemetry/prometheus.ts';
import { loopbackNames, refuseReading } from './access.ts';

export interface MetricsServer {
  readonly url: string;
  close(): Promise<void>;
}

const mostConnections = 100;
/** Addresses that only this machine reaches. */
const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);
loopback.addAddress('::1', 'ipv6');

/** Rejects where it cannot listen there. */
export async function serveMetrics(
  { handle }: Pick<Prometheus, 'handle'>,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<MetricsServer> {
  let isOpen = false;
  const rules = { hosts: new Set([...loopbackNames, host]), token: '', origins: new Set<string>() };
  const server = createServer((request, response) => {
    response.on('error', () => {});
    response.setHeader('x-content-type-options', 'nosniff');
    const refusal = isOpen ? null : refuseReading(request, rules);
    if (refusal !== null) return refuse(response, refusal.status, refusal.message);
    if (pathOf(request) !== '/metrics') return refuse(response, 404, 'only /metrics is here');
    if (request.method !== 'GET') return refuse(response.setHeader('allow', 'GET'), 405, 'GET');
    handle(request, response);
  });
  server.maxConnections = mostConnections;
  server.headersTimeout = 5_000;
  server.requestTimeout = 30_000;
  server.listen(port, host);
  await once(server, 'listening');
  server.unref();
  const { port: bound, address, family } = server.address() as AddressInfo;
  isOpen = !loopback.check(address, family === 'IPv6' ? 'ipv6' : 'ipv4');
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${bound}/metrics`,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function pathOf({ url = '' }: IncomingMessage): string | undefined {
  return URL.parse(url, 'http://server')?.pathname;
}

function refuse(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${message}\n`);
}
