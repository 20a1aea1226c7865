// An engine as one host has it: each call is a request and an answer that take time, and may be lost, late, or come twice. The
// contract of an engine (src/engines/engine.ts) says what must then hold:
//
// - A call that is lost, or whose answer is, rejects with an EngineError: what becomes of it is not known.
// - A request may be carried out after its caller was told so: it was only late.
// - A call may be carried out twice, for the contract makes that harmless: by tokens, chunk numbers, revisions, or because it
//   sets what is set already. A submit is carried out twice only where all its jobs have an idempotency key.
// - News come in order, late at times; where some were lost, `missed` is told.

import type { Clock } from '../../src/engines/clock.ts';
import { type Engine, EngineError, type NewJob, type Watcher } from '../../src/engines/engine.ts';
import type { History } from './history.ts';
import type { Life } from './life.ts';
import type { Network } from './network.ts';
import type { News, Server } from './store.ts';
import type { Timeline } from './timeline.ts';

export interface LinkOptions {
  readonly node: number;
  readonly life: Life;
  readonly timeline: Timeline;
  readonly network: Network;
  readonly server: Server;
  readonly history: History;
  /** How long it waits for an answer, ms. */
  readonly patienceMs: number;
  readonly spansMachines: boolean;
  happened(fault: string): void;
}

export class Link {
  readonly name = 'memory';
  readonly spansMachines: boolean;
  readonly #options: LinkOptions;
  readonly #watchers = new Set<Watcher>();
  #unread: News[] = [];
  #readsAt = 0;
  #hasMissed = false;
  #unwatch: (() => void) | null = null;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.spansMachines = options.spansMachines;
  }

  async open(_: Clock): Promise<void> {
    await this.#options.server.open();
    this.#unwatch ??= this.#options.server.watch((news) => this.#hear(news));
  }

  async close(): Promise<void> {
    this.#unwatch?.();
    this.#unwatch = null;
    await this.#options.server.close();
  }

  /** The host is gone. */
  cut(): void {
    this.#unwatch?.();
  }

  watch(watcher: Watcher): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  call(method: string, args: readonly unknown[]): Promise<unknown> {
    const { node, life, timeline, network, server, history, patienceMs, happened } = this.#options;
    const fate = network.fateOf(node, method);
    const { partition } = network.of(node);
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const say = (what: string) => history.add(`node${node} ${method}: ${what}`);
    const silent = fate.isRequestLost || fate.isAnswerLost;
    const patience = silent && partition?.isRefused === true ? 20 : patienceMs;
    const timer = life.clock.setTimeout(() => {
      say('no answer');
      reject(new EngineError(`the engine did not answer within ${patience} ms: is it running?`));
    }, patience);
    const arrive = (isAnswered: boolean) =>
      server.call(method, args, (settled) => {
        if (!isAnswered) return;
        timeline.in(fate.answerMs, () =>
          life.receive(() => {
            life.clock.clearTimeout(timer);
            settled().then(resolve, reject);
          }),
        );
      });
    if (fate.isRequestLost) {
      happened('request lost');
      say('request lost');
      return promise;
    }
    if (fate.isAnswerLost) {
      happened('answer lost');
      say('answer lost');
    }
    if (fate.requestMs > 200 || fate.answerMs > 200) happened('message late');
    const { againMs } = fate;
    const isDoubled = againMs !== null && isRepeatable(method, args);
    const isFirstAnswered = !fate.isAnswerLost && !(isDoubled && fate.isSecondAnswered);
    timeline.in(fate.requestMs, () => arrive(isFirstAnswered));
    if (isDoubled) {
      happened('call doubled');
      say('carried out twice');
      timeline.in(fate.requestMs + againMs, () => arrive(!fate.isAnswerLost && !isFirstAnswered));
    }
    return promise;
  }

  #hear(news: News[]): void {
    const { node, life, timeline, network, happened } = this.#options;
    const delay = network.newsMs(node);
    if (delay === null) {
      happened('news lost');
      this.#hasMissed = true;
      this.#missLater();
      return;
    }
    this.#unread.push(...news);
    // In order, and one message for all that has come.
    const at = Math.max(this.#readsAt, timeline.now + delay);
    if (at === this.#readsAt) return;
    this.#readsAt = at;
    timeline.in(at - timeline.now, () => life.receive(() => this.#read()));
  }

  #read(): void {
    const news = this.#unread;
    this.#unread = [];
    for (const watcher of this.#watchers) {
      for (const each of news) {
        if (each === 'controls') watcher.controlsChanged?.();
        else if (each === 'missed') watcher.missed();
        else watcher.changed(...each);
      }
    }
  }

  /** That news were lost is told as soon as there is a way. */
  #missLater(): void {
    const { node, life, timeline, network } = this.#options;
    timeline.in(1000, () => {
      if (!this.#hasMissed || life.isDead) return;
      if (network.of(node).partition !== null) return this.#missLater();
      this.#hasMissed = false;
      life.receive(() => {
        for (const watcher of this.#watchers) watcher.missed();
      });
    });
  }
}

function isRepeatable(method: string, args: readonly unknown[]): boolean {
  if (method === 'submit')
    return (args[0] as NewJob[]).every(({ idempotencyKey }) => idempotencyKey !== null);
  if (method === 'settle') return ((args[3] ?? []) as NewJob[]).length === 0;
  return true;
}

const streams = new Set(['list', 'queue', 'rows']);

/** All calls of an engine go through the link. */
export function engineOver(link: Link): Engine {
  const own = new Map<string | symbol, unknown>();
  return new Proxy(link, {
    get(target, property) {
      const known = own.get(property);
      if (known !== undefined) return known;
      let made: unknown;
      if (property in target) {
        const value = Reflect.get(target, property, target);
        made = typeof value === 'function' ? value.bind(target) : value;
      } else if (typeof property === 'string' && property !== 'then') {
        made = streams.has(property)
          ? async function* (...args: unknown[]) {
              yield* (await target.call(property, args)) as unknown[];
            }
          : (...args: unknown[]) => target.call(property, args);
      }
      own.set(property, made);
      return made;
    },
    has: () => true,
  }) as unknown as Engine;
}
