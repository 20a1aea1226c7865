// Paths of the supervisor's chart (supervisorModel.ts), walked by real processors on each engine: what it claims, what is alive,
// and when a drain is over.

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Claim, StoredJob } from '../../src/engines/engine.ts';
import { PacedPlaces } from './pacedPlaces.ts';
import { Orders, scriptedJob } from './scriptedJob.ts';
import {
  firstState,
  pathToEachStep,
  type SupervisorEvent,
  type SupervisorState,
  simplePaths,
  slots,
  step,
} from './supervisorModel.ts';
import { engineNames, type Host, World } from './world.ts';

const jobs = 3;
const walked = [
  ['each step with three jobs', pathToEachStep(jobs)],
  ['all simple paths with one job', simplePaths(1)],
  ...(process.env.PATHS === 'all' ? [['all simple paths with two jobs', simplePaths(2)] as const] : []),
] as const;

describe.each(engineNames)('on %s', (engine) => {
  test.each(walked)('%s', { timeout: 3_600_000 }, async (_, paths) => {
    for (let first = 0; first < paths.length; first += 100) {
      const world = await new World(engine).open();
      for (const [index, path] of paths.slice(first, first + 100).entries()) {
        const walk = new SupervisorWalk(world, `path-${first + index}`);
        await walk.walk(path).catch((error: Error) => {
          const told = path.map((event) => (event.do === 'claimed' ? `claimed ${event.jobs}` : event.do));
          throw new Error(`path ${first + index} (${told.join(', ')}): ${error.message}`, { cause: error });
        });
      }
      await world.close();
    }
  });
});

test('docs/reliability.md tells how many paths there are', () => {
  const page = readFileSync(new URL('../../docs/reliability.md', import.meta.url), 'utf8').replaceAll(
    '\n',
    ' ',
  );
  const [steps, paths] = walked.map(([, found]) => found.length);
  expect(page).toContain(`${steps} steps of three jobs and ${paths} simple paths of one`);
});

interface HeldClaim {
  readonly slots: number;
  /** It comes back with so many; null: it does not. */
  answer(jobs: number | null): void;
}

class SupervisorWalk {
  readonly #world: World;
  readonly #name: string;
  readonly #orders = new Orders();
  readonly #host: Host<PacedPlaces>;
  #state: SupervisorState = firstState();
  #claim: HeldClaim | null = null;
  #isDrained = false;

  constructor(world: World, name: string) {
    this.#world = world;
    this.#name = name;
    const places = new PacedPlaces({ clock: world.clock });
    places.hearsEnds = true;
    this.#host = world.host(places, {
      jobs: { [name]: scriptedJob(this.#orders, 'process') },
      maxConcurrentJobs: slots,
      monitorIntervalSeconds: 1e6,
    });
    this.#host.link.gate = (method, args) => {
      if (method !== 'claim') return 'go';
      const claim = args[0] as Claim;
      return new Promise((pass) => {
        const answer = (found: number | null) => {
          this.#claim = null;
          // Others on the engine have taken the rest.
          Object.assign(claim, { limit: found ?? 0 });
          pass(found === null ? 'fail' : 'go');
        };
        this.#claim = { slots: claim.limit, answer };
      });
    };
  }

  async walk(path: readonly SupervisorEvent[]): Promise<void> {
    const { processor } = this.#host;
    await processor.submitMany(
      this.#name,
      Array.from({ length: jobs }, () => 'scripted'),
    );
    await processor.start();
    // It begins to look for work more than once: what a path begins with is the next time.
    for (await this.#world.calm(); this.#claim !== null; await this.#world.calm()) this.#claim?.answer(0);
    await this.#take({ do: 'workCame' });
    await this.#check();
    for (const event of path) {
      await this.#take(event);
      await this.#world.calm();
      this.#state = step(this.#state, event);
      await this.#check();
    }
    await this.#end();
  }

  /** What has not started by now never does; what runs completes. */
  async #end(): Promise<void> {
    const { places, processor } = this.#host;
    await processor.pause(this.#name);
    this.#claim?.answer(0);
    this.#host.link.gate = () => 'go';
    await this.#world.advance(1);
    while (places.simulated.alive.size > 0) await this.#take({ do: 'attemptEnded' });
    await this.#world.calm();
    for await (const job of this.#world.store.list({ name: this.#name, states: ['queued'] }))
      await (await processor.get(job.id)).cancel();
    for await (const { state } of this.#world.store.list({ name: this.#name }))
      expect(['completed', 'cancelled']).toContain(state);
    await this.#world.stop(this.#host);
  }

  async #take(event: SupervisorEvent): Promise<void> {
    const { processor, link, places } = this.#host;
    if (event.do === 'claimed') this.#claim?.answer(event.jobs);
    else if (event.do === 'claimFailed') this.#claim?.answer(null);
    else if (event.do === 'workCame') link.tellMissed();
    else if (event.do === 'pauseOver') await this.#world.advance(1);
    else if (event.do === 'drain') {
      processor.drain().then(() => {
        this.#isDrained = true;
      });
    } else {
      const [attempt] = places.simulated.alive;
      const token = attempt?.spec.start.token ?? '';
      for (const order of ['last', 'complete'] as const) {
        expect(this.#orders.give(token, order)).toBe(true);
        await this.#world.calm();
      }
    }
  }

  async #check(): Promise<void> {
    await this.#world.calm();
    const { value, context } = this.#state.snapshot;
    const alive = context.held - context.claiming;
    expect({
      claims: this.#claim?.slots ?? 0,
      alive: this.#host.places.simulated.alive.size,
      told: this.#host.processor.activeJobs.size,
      isDrained: this.#isDrained,
    }).toEqual({ claims: context.claiming, alive, told: alive, isDrained: value === 'drained' });
    expect(alive + context.claiming).toBeLessThanOrEqual(slots);
    const stored: StoredJob[] = [];
    for await (const job of this.#world.store.list({ name: this.#name, states: ['running'] }))
      stored.push(job);
    expect(stored).toHaveLength(alive);
  }
}
