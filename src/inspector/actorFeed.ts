// What the actors of a processor do, told in order to whoever looks: each is registered before anything else is said of it,
// and stopped last. XState's observers are attached when the first watcher comes and detached with the last. A job is the
// root of a system of its own; here it is shown under its supervisor. How much is told is bounded, not how much runs.

import type { Logger } from 'pino';
import type { AnyActorRef, AnyEventObject, AnyStateMachine, InspectionEvent, Snapshot } from 'xstate';
import type { Inspection, RootActor } from '../runtime/inspection.ts';

/** A job more than these is not shown. */
const mostJobs = 200;
const newJobsASecond = 50;

export interface WatchedActor {
  /** Of its own among all actors of the processor; XState counts anew in each system. */
  readonly sessionId: string;
  /** For people. */
  readonly name: string;
  readonly parent: WatchedActor | null;
  /** Null: no chart, such as the chunk processor of a job. */
  readonly machine: AnyStateMachine | null;
}

export interface ActorWatcher {
  registered(actor: WatchedActor, snapshot: Snapshot<unknown>): void;
  received(actor: WatchedActor, event: AnyEventObject, source: WatchedActor | null): void;
  moved(actor: WatchedActor, snapshot: Snapshot<unknown>, event: AnyEventObject): void;
  stopped(actor: WatchedActor): void;
}

export class ActorFeed {
  readonly #inspection: Inspection;
  readonly #logger: Logger;
  readonly #watchers = new Set<ActorWatcher>();
  readonly #known = new Map<AnyActorRef, WatchedActor>();
  /** Of the root actors: what ends the observation. */
  readonly #observed = new Map<AnyActorRef, () => void>();
  #unwatch: (() => void) | null = null;
  #named = 0;
  #jobs = 0;
  #second = 0;
  #newInSecond = 0;

  constructor(inspection: Inspection, logger: Logger) {
    this.#inspection = inspection;
    this.#logger = logger;
  }

  /** It is told of all actors that live, then of what they do. Returns what ends it. */
  add(watcher: ActorWatcher): () => void {
    if (this.#watchers.size === 0) this.#begin();
    for (const [ref, actor] of this.#known) watcher.registered(actor, ref.getSnapshot());
    this.#watchers.add(watcher);
    return () => {
      this.#watchers.delete(watcher);
      if (this.#watchers.size === 0) this.#rest();
    };
  }

  #begin(): void {
    for (const root of this.#inspection.roots()) this.#observe(root, false);
    this.#unwatch = this.#inspection.watchRoots((root) => this.#observe(root));
  }

  #rest(): void {
    this.#unwatch?.();
    for (const unobserve of this.#observed.values()) unobserve();
    this.#observed.clear();
    this.#known.clear();
    this.#jobs = 0;
  }

  #observe({ ref, name, parent, isJob }: RootActor, isNew = true): void {
    if (isJob && !this.#hasRoom(isNew)) return;
    const observations = [
      ref.system.inspect({ next: (event) => this.#guarded(() => this.#tell(event)) }),
      // Of a chart that broke, nothing else is told.
      ...(isJob ? [ref.subscribe({ error: () => this.#over(ref) })] : []),
    ];
    if (isJob) this.#jobs += 1;
    this.#observed.set(ref, () => {
      for (const observation of observations) observation.unsubscribe();
      if (isJob) this.#jobs -= 1;
    });
    this.#register(ref, name, parent);
  }

  #hasRoom(isNew: boolean): boolean {
    if (this.#jobs >= mostJobs) return false;
    if (!isNew) return true;
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.#second) this.#newInSecond = 0;
    this.#second = second;
    if (this.#newInSecond >= newJobsASecond) return false;
    this.#newInSecond += 1;
    return true;
  }

  #register(ref: AnyActorRef, name: string, parent: AnyActorRef | null | undefined): void {
    const logic = (ref as { logic?: { states?: unknown } }).logic;
    this.#named += 1;
    const actor: WatchedActor = {
      sessionId: `x:${this.#named}`,
      name,
      parent: (parent && this.#known.get(parent)) ?? null,
      machine: logic?.states === undefined ? null : (logic as AnyStateMachine),
    };
    this.#known.set(ref, actor);
    const snapshot = snapshotOf(ref);
    this.#each((watcher) => watcher.registered(actor, snapshot));
    for (const child of childrenOf(snapshot)) this.#register(child, nameOf(child), ref);
  }

  #tell(inspected: InspectionEvent): void {
    const ref = inspected.actorRef as AnyActorRef;
    if (inspected.type === '@xstate.actor') {
      if (!this.#known.has(ref)) this.#register(ref, nameOf(ref), ref._parent);
      return;
    }
    const actor = this.#known.get(ref);
    if (actor === undefined) return;
    if (inspected.type === '@xstate.event') {
      const source = inspected.sourceRef as AnyActorRef | undefined;
      const from = (source && this.#known.get(source)) ?? null;
      this.#each((watcher) => watcher.received(actor, inspected.event, from));
    } else if (inspected.type === '@xstate.snapshot') {
      const { snapshot, event } = inspected;
      this.#each((watcher) => watcher.moved(actor, snapshot, event));
      if (snapshot.status !== 'active') this.#over(ref);
    }
  }

  #over(ref: AnyActorRef): void {
    const actor = this.#known.get(ref);
    if (actor === undefined) return;
    for (const [child, { parent }] of this.#known) if (parent === actor) this.#over(child);
    this.#known.delete(ref);
    this.#each((watcher) => watcher.stopped(actor));
    this.#observed.get(ref)?.();
    this.#observed.delete(ref);
  }

  /** Whatever is wrong with one must not reach the others, nor the chart that is looked at. */
  #each(tell: (watcher: ActorWatcher) => void): void {
    for (const watcher of this.#watchers) this.#guarded(() => tell(watcher));
  }

  #guarded(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#logger.error({ err: error }, `inspect: ${(error as Error).message}`);
    }
  }
}

const blank: Snapshot<unknown> = { status: 'active', output: undefined, error: undefined };

/** XState tells of an actor before it has a snapshot that could be read. */
function snapshotOf(ref: AnyActorRef): Snapshot<unknown> {
  try {
    return ref.getSnapshot() ?? blank;
  } catch {
    return blank;
  }
}

function childrenOf(snapshot: Snapshot<unknown>): AnyActorRef[] {
  return Object.values((snapshot as { children?: Record<string, AnyActorRef> }).children ?? {});
}

/** What the actor does, as its parent calls it. */
function nameOf({ src, id }: AnyActorRef): string {
  return typeof src === 'string' ? src : id;
}
