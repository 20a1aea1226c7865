// Metrics in Prometheus' text format: a meter provider of our own, with OpenTelemetry's exporter as its reader, and what answers a
// scrape. No server: whoever asks for it has one. Both packages are optional, and loaded when they are asked for.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { MeterProvider } from '@opentelemetry/api';
import { ConfigurationError } from '../errors.ts';

const mostSeries = 50_000;

export interface Prometheus {
  readonly meterProvider: MeterProvider;
  /** Collects, and answers with what there is. */
  handle(request: IncomingMessage, response: ServerResponse): void;
  close(): Promise<void>;
}

/** `field` is the option that asks for it. Throws ConfigurationError where a package is not installed. */
export async function openPrometheus(field: string): Promise<Prometheus> {
  const [{ PrometheusExporter }, { MeterProvider }] = await Promise.all([
    import('@opentelemetry/exporter-prometheus'),
    import('@opentelemetry/sdk-metrics'),
  ]).catch((error) => {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new ConfigurationError(
      field,
      'the packages @opentelemetry/exporter-prometheus and @opentelemetry/sdk-metrics to be installed',
      'none',
      'Run: npm install @opentelemetry/exporter-prometheus @opentelemetry/sdk-metrics',
    );
  });
  // Prometheus names a target itself; all that is told here is ours.
  const reader = new PrometheusExporter({
    preventServerStart: true,
    withoutScopeInfo: true,
    withoutTargetInfo: true,
  });
  // The series are bounded by the registry: with many names they are more than the SDK's 2 000 an instrument.
  const views = [{ instrumentName: '*', aggregationCardinalityLimit: mostSeries }];
  const meterProvider = new MeterProvider({ readers: [reader], views });
  return {
    meterProvider,
    handle: (request, response) => reader.getMetricsRequestHandler(request, response),
    close: () => meterProvider.shutdown(),
  };
}
