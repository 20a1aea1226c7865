// The instruments on one meter provider, shared by the processors that record there: their counts add up, and what stands is
// observed once for all of them. Made when the first is attached, never at import: a meter of the API's own provider, before an
// SDK is registered, stays a no-op for ever.

import type {
  BatchObservableResult,
  Counter,
  Histogram,
  Meter,
  MeterProvider,
  ObservableGauge,
} from '@opentelemetry/api';
import type { OpenState } from '../../engines/engine.ts';
import { ErrorTypes } from './errorTypes.ts';
import { attribute, type InstrumentDefinition, instruments } from './instruments.ts';
import type { Standing } from './standing.ts';

/** A processor. */
export interface Source {
  readonly names: ReadonlySet<string>;
  readonly standing: Standing;
  /** The name, or what stands for those that are not of the registry. */
  known(name: string): string;
}

const openStates: readonly OpenState[] = ['queued', 'running', 'stopping', 'retrying'];
const nodeStates = ['running', 'draining', 'gone'] as const;
/** A reader that collects is not held up longer by an engine that does not answer, ms. */
const patienceMs = 2_000;

const shared = new WeakMap<MeterProvider, Meters>();

export function metersOf(provider: MeterProvider): Meters {
  const meters = shared.get(provider) ?? new Meters(provider.getMeter('unstuck'));
  shared.set(provider, meters);
  return meters;
}

export class Meters {
  readonly sent: Counter;
  readonly run: Histogram;
  readonly ended: Counter;
  readonly timeouts: Counter;
  readonly stop: Histogram;
  readonly sweep: Histogram;
  readonly sweepFound: Counter;
  readonly errorTypes = new ErrorTypes();
  readonly #engine;
  readonly #here;
  readonly #sources = new Set<Source>();
  /** Of all that ever were: a reader repeats what is not observed any more. */
  readonly #names = new Set<string>();
  readonly #slotStates = new Set<string>();

  constructor(meter: Meter) {
    this.sent = counter(meter, instruments.sent);
    this.run = histogram(meter, instruments.run);
    this.ended = counter(meter, instruments.ended);
    this.timeouts = counter(meter, instruments.timeouts);
    this.stop = histogram(meter, instruments.stop);
    this.sweep = histogram(meter, instruments.sweep);
    this.sweepFound = counter(meter, instruments.sweepFound);
    this.#engine = {
      up: gauge(meter, instruments.engineUp),
      jobs: gauge(meter, instruments.jobs),
      queueAge: gauge(meter, instruments.queueAge),
      nodes: gauge(meter, instruments.nodes),
    };
    this.#here = {
      unconfirmed: gauge(meter, instruments.unconfirmed),
      heartbeatAge: gauge(meter, instruments.heartbeatAge),
      progressAge: gauge(meter, instruments.progressAge),
      slots: gauge(meter, instruments.slots),
    };
    // Apart: what stands here does not wait for the engine.
    meter.addBatchObservableCallback((result) => this.#observeEngine(result), Object.values(this.#engine));
    meter.addBatchObservableCallback((result) => this.#observeHere(result), Object.values(this.#here));
  }

  /** Returns what ends it. */
  addSource(source: Source): () => void {
    this.#sources.add(source);
    for (const name of source.names) this.#names.add(name);
    return () => this.#sources.delete(source);
  }

  /**
   * Processors on one engine say the same of it: of two the higher counts; engines add up. Every name is told, those without
   * jobs as 0; names that are not of the registry are another processor's to tell.
   */
  async #observeEngine(result: BatchObservableResult): Promise<void> {
    let isUp = true;
    const counts = new Tally((a, b) => a + b);
    const ages = new Tally(Math.max);
    const nodes = new Tally((a, b) => a + b);
    for (const state of nodeStates) nodes.add(0, state);
    const byEngine = Map.groupBy(this.#sources, ({ standing }) => standing.engine).values();
    await Promise.all(
      byEngine.map(async (sources) => {
        const { standing } = sources[0] as Source;
        const answer = await answerOf(Promise.all([standing.openJobs(), standing.nodes()]));
        if (answer === null) {
          isUp = false;
          return;
        }
        const [found, atWork] = answer;
        for (const { isGone, isDraining } of atWork)
          nodes.add(1, isGone ? 'gone' : isDraining ? 'draining' : 'running');
        const names = new Set(sources.flatMap((source) => [...source.names]));
        const now = standing.now();
        for (const { name, counts: byState, waitingSince } of found) {
          if (!names.has(name)) continue;
          for (const state of openStates) counts.add(byState[state], name, state);
          ages.add(waitingSince === null ? 0 : Math.max(0, now - waitingSince) / 1000, name);
        }
      }),
    );
    for (const name of this.#names) {
      ages.add(0, name);
      for (const state of openStates) counts.add(0, name, state);
    }
    if (this.#sources.size > 0) result.observe(this.#engine.up, isUp ? 1 : 0);
    if (!isUp) return;
    for (const [value, name, state] of counts.all())
      result.observe(this.#engine.jobs, value, { [attribute.job]: name, [attribute.state]: state });
    for (const [value, state] of nodes.all())
      result.observe(this.#engine.nodes, value, { [attribute.node]: state });
    for (const [value, name] of ages.all())
      result.observe(this.#engine.queueAge, value, { [attribute.job]: name });
  }

  #observeHere(result: BatchObservableResult): void {
    const { unconfirmed, heartbeatAge, progressAge, slots } = this.#here;
    const held = new Tally((a, b) => a + b);
    const heartbeats = new Tally(Math.max);
    const progress = new Tally(Math.max);
    const counted = new Tally((a, b) => a + b);
    for (const state of this.#slotStates) counted.add(0, state);
    for (const name of this.#names) for (const each of [held, heartbeats, progress]) each.add(0, name);
    for (const { known, standing } of this.#sources) {
      const ofSlots = standing.slots();
      if (ofSlots === null) continue;
      for (const [state, n] of Object.entries(ofSlots)) {
        this.#slotStates.add(state);
        counted.add(n, state);
      }
      for (const name of standing.unconfirmed()) held.add(1, known(name));
      for (const { name, heartbeat, progress: ago } of standing.signAges()) {
        heartbeats.add(heartbeat ?? 0, known(name));
        progress.add(ago ?? 0, known(name));
      }
    }
    for (const [value, slot] of counted.all()) result.observe(slots, value, { [attribute.slot]: slot });
    for (const [of, tally] of [
      [unconfirmed, held],
      [heartbeatAge, heartbeats],
      [progressAge, progress],
    ] as const)
      for (const [value, name] of tally.all()) result.observe(of, value, { [attribute.job]: name });
  }
}

/** Numbers by one or two words, put together as they come. */
class Tally {
  readonly #join: (a: number, b: number) => number;
  readonly #found = new Map<string, [value: number, name: string, state: string]>();

  constructor(join: (a: number, b: number) => number) {
    this.#join = join;
  }

  add(value: number, name: string, state = ''): void {
    const key = `${state}\n${name}`;
    const known = this.#found.get(key);
    this.#found.set(key, [known === undefined ? value : this.#join(known[0], value), name, state]);
  }

  all(): Iterable<[value: number, name: string, state: string]> {
    return this.#found.values();
  }
}

/** Null: the engine failed, or did not answer in time. */
async function answerOf<T>(asked: Promise<T>): Promise<T | null> {
  const late = Promise.withResolvers<null>();
  const timer = setTimeout(() => late.resolve(null), patienceMs);
  try {
    return await Promise.race([asked, late.promise]);
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
  }
}

function optionsOf({ unit, about }: InstrumentDefinition) {
  return { unit, description: about };
}

function counter(meter: Meter, definition: InstrumentDefinition): Counter {
  return meter.createCounter(definition.name, optionsOf(definition));
}

function histogram(meter: Meter, definition: InstrumentDefinition): Histogram {
  const explicitBucketBoundaries = [...(definition.boundaries ?? [])];
  return meter.createHistogram(definition.name, {
    ...optionsOf(definition),
    advice: { explicitBucketBoundaries },
  });
}

function gauge(meter: Meter, definition: InstrumentDefinition): ObservableGauge {
  return meter.createObservableGauge(definition.name, optionsOf(definition));
}
