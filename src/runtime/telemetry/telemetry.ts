// A processor's metrics and traces, on the providers that it was given or that are registered globally by the time its engine is
// opened. OpenTelemetry's API is loaded then, and not with the library, which each child of a job loads.

import type { MeterProvider } from '@opentelemetry/api';
import type { TelemetryOptions } from '../processorOptions.ts';
import { Metrics } from './metrics.ts';
import type { Standing } from './standing.ts';
import type { Traces } from './traces.ts';

export class Telemetry {
  readonly metrics: Metrics;
  readonly #options: TelemetryOptions | false;
  #traces: Traces | null = null;
  #detach: (() => void) | null = null;

  /** `names`: of the jobs that are told by name. */
  constructor(options: TelemetryOptions | false, names: Iterable<string>, standing: Standing) {
    this.#options = options;
    this.metrics = new Metrics(names, standing);
  }

  /** There once it was opened. */
  get traces(): Traces {
    return this.#traces as Traces;
  }

  /** May be called again: an SDK may be registered by then. */
  async open(): Promise<void> {
    const [{ createNoopMeter, metrics }, { Traces }] = await Promise.all([
      import('@opentelemetry/api'),
      import('./traces.ts'),
    ]);
    this.#traces ??= new Traces(this.#options);
    if (this.#options === false || this.#detach !== null) return;
    const provider = this.#options.meterProvider ?? metrics.getMeterProvider();
    // The API's own would stay one that does nothing for ever.
    if (provider.getMeter('unstuck') !== createNoopMeter()) this.#detach = this.attach(provider);
  }

  /** Metrics are recorded there too. Returns what ends it. */
  attach(provider: MeterProvider): () => void {
    return this.metrics.attach(provider);
  }

  close(): void {
    this.#detach?.();
  }
}
