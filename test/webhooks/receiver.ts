// A real HTTP server that takes webhooks, in all the ways in which such servers do and do not. What it has taken (answered
// with 2xx) is verified by an independent package, with the raw body.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'svix';
import type { Notification } from '../../src/index.ts';

export const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

export interface Taken {
  readonly id: string;
  readonly notification: Notification;
}

export class Receiver implements AsyncDisposable {
  /** In the order in which they were answered with 2xx. */
  readonly taken: Taken[] = [];
  /** Requests, answered or not. */
  asked = 0;
  /** How it answers; default 204. */
  mode: (request: IncomingMessage, response: ServerResponse, taken: Taken) => void = answer(204);
  #port = 0;
  readonly #secrets: readonly string[];
  readonly #server = createServer((request, response) => this.#receive(request, response));
  #heard = Promise.withResolvers<void>();

  constructor(secrets: readonly string[] = [secret]) {
    this.#secrets = secrets;
  }

  /** On the port that it had before, after it was down. */
  async listen(): Promise<this> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/hooks`;
  }

  async down(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.down();
  }

  /** Of each job, the types of what was taken about it, in order; each notification once. */
  story(): Record<string, string[]> {
    const seen = new Set<string>();
    const story: Record<string, string[]> = {};
    for (const { id, notification } of this.taken) {
      if (seen.has(id)) continue;
      seen.add(id);
      const about = notification.type === 'queue.tooOld' ? 'queue' : notification.data.id;
      story[about] = [...(story[about] ?? []), notification.type];
    }
    return story;
  }

  async until(isSo: () => boolean, seconds = 60): Promise<void> {
    const timeout = setTimeout(
      () => this.#heard.reject(new Error(`not within ${seconds} s`)),
      seconds * 1000,
    );
    while (!isSo()) await this.#heard.promise;
    clearTimeout(timeout);
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.asked += 1;
    request.on('error', () => {});
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    const body = Buffer.concat(parts).toString();
    const headers = {
      'webhook-id': String(request.headers['webhook-id']),
      'webhook-timestamp': String(request.headers['webhook-timestamp']),
      'webhook-signature': String(request.headers['webhook-signature']),
    };
    for (const each of this.#secrets) new Webhook(each).verify(body, headers);
    const taken = { id: headers['webhook-id'], notification: JSON.parse(body) as Notification };
    response.once('finish', () => {
      if (response.statusCode >= 200 && response.statusCode < 300) this.taken.push(taken);
      this.#tell();
    });
    this.mode(request, response, taken);
    this.#tell();
  }

  #tell(): void {
    this.#heard.resolve();
    this.#heard = Promise.withResolvers();
  }
}

export function answer(status: number, headers: Record<string, string> = {}): Receiver['mode'] {
  return (_, response) => response.writeHead(status, headers).end('thanks');
}

export const hang: Receiver['mode'] = () => {};
