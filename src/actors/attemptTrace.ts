// The trace that an attempt's code runs in, wherever that is: in the host, in a process or in a thread. OpenTelemetry's
// API is loaded here only where there is a trace to carry. What an SDK throws never reaches the job.

// Of now: a job may put a clock of its own in the place of the global one.
import { setTimeout } from 'node:timers';
import type { Context, TracerProvider } from '@opentelemetry/api';

/** Runs the code in the context of its attempt: spans that it starts are children of the attempt's. */
export async function withinTrace<T>(trace: string | null, run: () => Promise<T>): Promise<T> {
  if (trace === null) return run();
  const { context } = await import('@opentelemetry/api');
  const attempt = await contextFrom(trace);
  return attempt === null ? run() : context.with(attempt, run);
}

async function contextFrom(trace: string): Promise<Context | null> {
  const { diag, propagation, ROOT_CONTEXT } = await import('@opentelemetry/api');
  try {
    return propagation.extract(ROOT_CONTEXT, JSON.parse(trace));
  } catch (error) {
    diag.error('unstuck: the trace of an attempt could not be read', error);
    return null;
  }
}

/** What an SDK's providers have beyond the API's. */
interface Flushable {
  forceFlush?(): Promise<void>;
}

/** An exporter that does not answer holds up an attempt's end for so long at most, ms. */
const patienceMs = 1000;

/** Exports what the SDK of this process or thread has gathered: it is about to end. Never rejects. */
export async function flushTelemetry(trace: string | null): Promise<void> {
  if (trace === null) return;
  const { metrics, trace: traces } = await import('@opentelemetry/api');
  // A proxy stands for the one that is registered.
  const tracers: TracerProvider & { getDelegate?(): TracerProvider } = traces.getTracerProvider();
  const providers = [tracers.getDelegate?.() ?? tracers, metrics.getMeterProvider()];
  const flushed = providers.map(async (provider) => (provider as Flushable).forceFlush?.());
  const patience = new Promise((resolve) => setTimeout(resolve, patienceMs));
  await Promise.race([Promise.allSettled(flushed), patience]);
}
