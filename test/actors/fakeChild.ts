// A child that is no process and no thread: what it is told can be read, and it says what a test says.

import type { Child, ChildListener } from '../../src/actors/isolation/child.ts';
import type { HostMessage } from '../../src/actors/isolation/protocol.ts';
import type { ProcessGroup } from '../../src/engines/engine.ts';

export class FakeChild implements Child {
  readonly kind = 'process';
  group: ProcessGroup | null = null;
  /** What it was told, in order. */
  readonly done: unknown[] = [];
  listener: ChildListener | null = null;
  isCleanNow = true;
  diesAtOnce = true;
  readonly #gone = Promise.withResolvers<void>();
  readonly gone = this.#gone.promise;
  closed = this.gone;
  /** Whether it keeps the host running; null: nobody said. */
  holds: boolean | null = null;
  /** The limits that its watchdog has. */
  watched: unknown;

  post(message: HostMessage): void {
    this.done.push(message);
  }
  listen(listener: ChildListener): void {
    this.listener = listener;
  }
  watch(limits: object | null): void {
    this.watched = limits;
  }
  rewatch(limits: object): void {
    this.done.push({ rewatch: limits });
  }
  endBy(at: number): void {
    this.done.push({ endBy: at });
  }
  terminate(): void {
    this.done.push('terminate');
  }
  kill(): void {
    this.done.push('kill');
    if (this.diesAtOnce) this.die();
  }
  die(): void {
    this.#gone.resolve();
  }
  isClean(): boolean {
    return this.isCleanNow;
  }
  hold(holds: boolean): void {
    this.holds = holds;
  }
}
