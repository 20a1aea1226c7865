// The WebSockets of the inspector, for state-chart inspectors only: they read, they cannot act. One that says what it may not,
// or does not read what it is sent, loses its own connection and nothing else.

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';

/** What is spoken on one path. */
export interface Protocol {
  /** Begins with the connection, or with the first message that `begins` takes for its greeting. */
  readonly greeting: ((message: unknown) => boolean) | null;
  /** Returns what ends it. */
  begin(send: (message: object) => void): () => void;
}

/** A greeting is short. */
const longestMessage = 16 * 1024;
/** Unread: more and the reader is gone. */
const mostUnread = 4 * 1024 * 1024;
const policyViolation = 1008;

export class InspectorSockets {
  readonly #protocols: ReadonlyMap<string, Protocol>;
  readonly #server = new WebSocketServer({
    noServer: true,
    maxPayload: longestMessage,
    perMessageDeflate: false,
  });

  readonly #logger: Logger;

  constructor(protocols: ReadonlyMap<string, Protocol>, logger: Logger) {
    this.#protocols = protocols;
    this.#logger = logger;
    this.#server.on('wsClientError', (_, socket) => socket.destroy());
  }

  /** Of a request that may read. False: nothing is spoken on this path. */
  accept(pathname: string, request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    const protocol = this.#protocols.get(pathname);
    if (protocol === undefined) return false;
    this.#server.handleUpgrade(request, socket, head, (client) => serve(client, protocol, this.#logger));
    return true;
  }

  close(): void {
    for (const client of this.#server.clients) client.terminate();
    this.#server.close();
  }
}

function serve(client: WebSocket, { greeting, begin }: Protocol, logger: Logger): void {
  let end: (() => void) | null = null;
  const send = (message: object) => {
    if (client.readyState !== client.OPEN) return;
    if (client.bufferedAmount <= mostUnread) return client.send(JSON.stringify(message));
    client.terminate();
    logger.warn(`inspect: an inspector that did not read what it was sent was cut off`);
  };
  // ws closes the connection with a reason of its own; without a listener it would end the process.
  client.on('error', () => {});
  client.on('close', () => end?.());
  client.on('message', (data, isBinary) => {
    if (greeting === null || isBinary || !greeting(parsed(data)))
      return client.close(policyViolation, 'expected no such message: this connection only reads');
    end ??= begin(send);
  });
  if (greeting === null) end = begin(send);
}

function parsed(data: RawData): unknown {
  try {
    return JSON.parse(String(data));
  } catch {
    return undefined;
  }
}
