// The way of one machine to the database: bytes are passed on, at once or each way so many ms later. A kernel can do that too (tc netem),
// where it was built with it; those of small virtual machines are not.

import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export class Wire {
  /** Each way, ms. */
  delayMs = 0;
  readonly #to: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(to: number) {
    this.#to = to;
    this.#server = createServer({ allowHalfOpen: true }, (near) => this.#join(near));
  }

  /** Listens at `host`, on a port of its own; `to` is a port of 127.0.0.1. */
  static async open(host: string, to: number): Promise<Wire> {
    const wire = new Wire(to);
    wire.#server.listen(0, host);
    await once(wire.#server, 'listening');
    return wire;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(near: Socket): void {
    const far = connect({ port: this.#to, host: '127.0.0.1', allowHalfOpen: true });
    for (const socket of [near, far]) {
      socket.setNoDelay(true);
      this.#sockets.add(socket);
      socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket));
    }
    this.#pass(near, far);
    this.#pass(far, near);
  }

  /** In order, whenever the delay changes. */
  #pass(from: Socket, to: Socket): void {
    let last: Promise<unknown> = Promise.resolve();
    const later = (act: () => void) => {
      const due = this.delayMs === 0 ? last : Promise.all([last, sleep(this.delayMs)]);
      last = due.then(act);
    };
    from.on('data', (data) => later(() => to.writable && to.write(data)));
    from.on('end', () => later(() => to.end()));
    from.on('close', () => later(() => to.destroy()));
  }
}
