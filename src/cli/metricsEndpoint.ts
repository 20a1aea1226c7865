// The metrics of a worker, as `--metrics` opens them: where its processor records, and the server that Prometheus scrapes.

import type { Jobs, ProcessorOptions } from '../index.ts';
import { ConfigurationError } from '../index.ts';
import { serveMetrics } from '../inspector/metricsServer.ts';
import { openPrometheus } from '../runtime/telemetry/prometheus.ts';
import type { Address } from './options.ts';

export const metricsPort = 9464;

export interface MetricsEndpoint {
  readonly telemetry: ProcessorOptions<Jobs>['telemetry'];
  readonly url: string;
  close(): Promise<void>;
}

/** Throws ConfigurationError where nothing can listen there, or a package is not installed. */
export async function openMetrics(address: Address): Promise<MetricsEndpoint> {
  const prometheus = await openPrometheus('--metrics');
  try {
    const server = await serveMetrics(prometheus, address);
    return {
      telemetry: { meterProvider: prometheus.meterProvider },
      url: server.url,
      async close() {
        await server.close();
        await prometheus.close();
      },
    };
  } catch (error) {
    await prometheus.close();
    const { code, message } = error as NodeJS.ErrnoException;
    const given = `${address.host}:${address.port}`;
    if (code === 'EADDRINUSE')
      throw new ConfigurationError(
        '--metrics',
        'a port that is free',
        `${given}, which is taken`,
        'Port 0 is a free one.',
      );
    throw new ConfigurationError('--metrics', 'an address of this machine', `${given}: ${message}`);
  }
}
