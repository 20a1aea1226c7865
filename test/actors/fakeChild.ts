// A child that is no process and no thread: what it is told can be read, and it says what a test says.

import type { Child, ChildListener } from '../../src/actors/isolation/child.ts';
import type { HostMessage } from '../../src/actors/isolation/protocol.ts';

export class FakeChild implements Child {
  readonly kind = 'process';
  readonly group = null;
  /** What it was told, in order. */
  readonly done: unknown[] = [];
  listener: ChildListener | null = null;
  isCleanNow = true;
  readonly #gone = Promise.withResolvers<void>();
  readonly gone = this.#gone.promise;
  readonly closed = this.gone;

  post(message: HostMessage): void {
    this.done.push(message);
  }
  listen(listener: ChildListener): void {
    this.listener = listener;
  }
  watch(): void {}
  rewatch(limits: object): void {
    this.done.push({ rewatch: limits });
  }
  terminate(): void {
    this.done.push('terminate');
  }
  kill(): void {
    this.done.push('kill');
    this.#gone.resolve();
  }
  isClean(): boolean {
    return this.isCleanNow;
  }
  hold(): void {}
}
