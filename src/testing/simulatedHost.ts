// A processor on a simulated machine: it can be killed as `kill -9` kills one, and then does nothing any more; another takes
// its jobs over when its lease has lapsed.

import type { Engine } from '../engines/engine.ts';
import type { Jobs } from '../runtime/definitions.ts';
import { JobProcessor } from '../runtime/processor.ts';
import { type ProcessorOptions, placesOption } from '../runtime/processorOptions.ts';
import { HostClock } from './hostClock.ts';
import { HostEngine, type HostEngineEvents } from './hostEngine.ts';
import type { SimulatedClock } from './simulatedClock.ts';
import { SimulatedPlaces, type SimulatedPlacesOptions, type SimulatedProcesses } from './simulatedPlaces.ts';

export interface SimulatedHostOptions<J extends Jobs> extends HostEngineEvents {
  readonly engine: Engine;
  readonly clock: SimulatedClock;
  readonly processes: SimulatedProcesses;
  readonly processor: Omit<ProcessorOptions<J>, 'engine' | 'clock'>;
  readonly places: Pick<SimulatedPlacesOptions, 'reached' | 'codeOf' | 'unwinds' | 'launched' | 'gone'>;
}

export class SimulatedHost<J extends Jobs> {
  readonly processor: JobProcessor<J>;
  readonly places: SimulatedPlaces;
  readonly calls: HostEngine;
  readonly #clock: HostClock;
  #isDead = false;

  constructor({ engine, clock, processes, processor, places, ...events }: SimulatedHostOptions<J>) {
    this.#clock = new HostClock(clock);
    this.calls = new HostEngine(engine, events);
    this.places = new SimulatedPlaces({
      ...{ clock, processes, ...places },
      tell: (_, say) => {
        events.active();
        if (!this.#isDead) say();
      },
    });
    this.processor = new JobProcessor<J>({
      ...processor,
      engine: this.calls.engine,
      clock: this.#clock,
      [placesOption]: this.places,
    });
  }

  kill(): void {
    this.#isDead = true;
    this.#clock.die();
    this.calls.die();
    this.places.hostGone();
  }
}
